//! Custom folds against the reductions that there are.
