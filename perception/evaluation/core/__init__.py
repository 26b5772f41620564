"""What every measurement rests on: tables of a run, truth over time, tracks of the truth, intervals."""
