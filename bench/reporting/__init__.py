"""Everything made from records: statistics, leaderboards, tables, plots, the page."""
