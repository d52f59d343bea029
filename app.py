"""The page, as `python app.py` and a Hugging Face Space run it."""

from playground import launch, ui

demo = ui.build()

if __name__ == "__main__":
    launch.serve(page=demo)
