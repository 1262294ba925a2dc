"""The rules, as pure functions: state + command → event or a named refusal; evolve(state, event) → state."""
