"""Learning a tracker from a teacher's landmarks: faces, augmentation, networks, losses, training, export."""
