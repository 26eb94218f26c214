//! The database: the only place with SQL. One file per noun.
