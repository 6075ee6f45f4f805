//! Who may import whom (ARCHITECTURE.md): every path to another module of the crate is read, not `use` lines alone.
