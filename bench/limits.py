"""The most that a command may ask for, and the seeds that follow from it; read without torch."""

MOST_SEEDS = 1000  # of a contender on a leaderboard: 0 to 999
MOST_TRIALS = 1000  # of a search
FIRST_TRIAL_SEED = MOST_SEEDS  # trials have larger seeds than leaderboards, so that no final seed was used to search
