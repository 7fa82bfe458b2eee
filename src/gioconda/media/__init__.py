"""Pictures and videos in, clips out."""
