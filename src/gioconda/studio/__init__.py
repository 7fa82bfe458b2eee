"""`gioconda studio`: a local web page on which people bring pictures to life (needs the extra 'studio').

The page is Gradio's; all that renders is the library's. Nothing comes from elsewhere: no font, no script, no count
of users.
"""
