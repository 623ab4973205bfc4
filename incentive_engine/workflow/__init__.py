"""What planners ask for, one readable function each."""
