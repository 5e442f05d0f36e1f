"""Strategies shipped with the keeper. Each is a pure function of the View; see keeper.strategy."""
