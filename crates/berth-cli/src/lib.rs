//! Docker's command line: grammar, rendering, terminals.
