"""The commands of `beyond-ai-agent`, one file each: `main(argv) -> int` reads its arguments and returns its status."""
