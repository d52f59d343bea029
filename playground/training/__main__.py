"""`python -m playground.training`."""

from playground.training.command import main

raise SystemExit(main())
