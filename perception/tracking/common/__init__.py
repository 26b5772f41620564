"""What both trackers share: Kalman filter, association, track state, settings."""
