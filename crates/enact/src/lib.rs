//! The command line, the configuration and the socket door of a hub.

pub mod cli;
pub mod command;
pub mod config;
pub mod door;
pub mod entry;
pub mod failure;
pub mod logging;
pub mod output;
pub mod reference;
pub mod show;
pub mod socket;
