"""The playground from the shell: `python -m playground COMMAND`."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict

from playground import address
from playground.commands import COMMANDS, module


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns 0, or 2 after one sentence on stderr when the input was bad."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["train"]:  # training has many options of its own and is loaded on demand
        return _train(arguments[1:])
    options = _parser(arguments).parse_args(arguments)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
        return code
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    except BrokenPipeError:  # who read the output has left, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m playground", description="A playground for vision transformers.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    models = commands.add_parser("models", help="list the models that can be asked by name")
    models.add_argument("--json", action="store_true", help="print the cards as JSON")
    models.set_defaults(run=_models)

    predict = commands.add_parser("predict", help="answer one picture with one model")
    predict.add_argument("image", help="a picture file: JPEG, PNG, WebP, GIF, BMP or TIFF")
    predict.add_argument("--model", help="a name that `models` prints (default: the bundled classifier measured best)")
    predict.add_argument("--top-k", type=int, default=5, help="how many classes (default 5)")
    predict.add_argument("--threshold", type=float, help="least score of a box, 0 to 1; the model's own by default")
    predict.add_argument("--json", action="store_true", help="print the answer as JSON")
    predict.set_defaults(run=_predict)

    for name, said in COMMANDS.items():
        if arguments[:1] == [name]:  # its options need torch
            module(name).add(commands)
        else:
            commands.add_parser(name, help=f"{said}: `{name} --help` tells more")

    serve = commands.add_parser("serve", help="open the page")
    serve.add_argument(
        "--host", help=f"address to listen on (default: {address.NAME}, else {address.HERE}: this machine only)"
    )
    serve.add_argument("--port", type=int, help=f"port (default: {address.PORT}, else the first free one from 7860)")
    serve.set_defaults(run=_serve)

    commands.add_parser("train", help="train a recipe and measure it: `train --help` tells more")
    return parser


def _train(arguments: Sequence[str]) -> int:
    try:
        from playground.training import command
    except ModuleNotFoundError as error:
        if error.name and error.name.split(".")[0] == "scipy":
            print("Training needs SciPy, which is not installed: pip install scipy.", file=sys.stderr)
            return 2
        raise
    return command.main(arguments)


def _models(options: argparse.Namespace) -> int:
    from playground import api

    cards = api.cards()
    if options.json:
        print(json.dumps([asdict(card) for card in cards], indent=2, ensure_ascii=False))
        return 0
    width = max(len(card.name) for card in cards)
    for card in cards:
        metric = card.metrics[0] if card.metrics else None
        said = f"{metric.name} {metric.value:g} {metric.unit} on {metric.dataset}" if metric else ""
        print(f"{card.name:{width}}  {card.source:8}{card.task:16}{card.license:20}{said}".rstrip())
    return 0


def _predict(options: argparse.Namespace) -> int:
    from playground import api

    answer = api.predict(options.image, options.model, options.top_k, options.threshold)
    if options.json:
        print(json.dumps(api.as_json(answer), indent=2, ensure_ascii=False))
        return 0
    for found in answer.classes:
        print(f"{found.score:7.1%}  {found.label}")
    if answer.unsure:
        print("         not sure: the best class is below what this model gets right")
    for box in answer.boxes:
        print(f"{box.score:7.1%}  {box.label}  " + " ".join(f"{edge:.0f}" for edge in box.box_xyxy))
    for segment in answer.segments:
        print(f"{segment.score:7.1%}  {segment.label}  {segment.area:.1%} of the picture")
    if not (answer.classes or answer.boxes or answer.segments):
        print("Nothing found; a lower --threshold shows weaker answers.")
    notes = list(answer.notes)
    if answer.classes and options.threshold is not None:
        notes.append("--threshold is for boxes, and this model gives classes")
    for note in notes:
        print(f"note: {note}")
    print(f"{answer.model}, {answer.seconds * 1000:.0f} ms on {answer.device}")
    return 0


def _serve(options: argparse.Namespace) -> int:
    host, port = address.address(options.host, options.port)  # first: what is wrong here fails as Gradio is loaded
    from playground import launch

    launch.serve(host, port)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
