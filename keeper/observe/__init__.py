"""From chain and venues to a View: discovery of the market, one stamped read, and the judgement whether it is fresh."""
