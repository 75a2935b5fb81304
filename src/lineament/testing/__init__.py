"""Public test doubles and contract tests for people who write plug-ins."""
