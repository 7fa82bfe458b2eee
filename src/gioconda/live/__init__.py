"""`gioconda live`: a camera drives a portrait, frame by frame, as a mirror does.

Three threads, each handing only its newest result to the next (`newest.py`), so that nothing queues up:
frames come in (`source.py`), the driver's movement is taken from them (`driver.py`), the portrait is
drawn (`drawing.py`). `mirror.py` puts them together.
"""
