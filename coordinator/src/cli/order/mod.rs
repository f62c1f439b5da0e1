//! `order`: one module for each group of verbs.

mod act;
mod list;
mod show;
mod why;

use std::process::ExitCode;

use clap::Subcommand;
use interlock_fault::Fault;
use interlock_operations::actions::OrderAction;
use interlock_settings::Settings;

use self::act::{ActArguments, AmendArguments};
use self::list::ListArguments;
use super::output::Output;
use super::show::ShowArguments;

/// `order`.
#[derive(Debug, Subcommand)]
pub(super) enum OrderCommand {
    /// Show an order: its state, what it waits for, its steps and claims
    Show(ShowArguments),
    /// Explain why an order waits: the whole chain, across customers, and what to do next
    Why(ShowArguments),
    /// List open orders, of one customer or of all customers (all customers: with a short delay). Standalone orders (no
    /// ordering, one step, no claim) are listed last; actions do not apply to them
    List(ListArguments),
    /// Retry the held steps of orders
    Retry(ActArguments),
    /// Skip the held steps of orders; skipping a release counts as its confirmation
    Skip(ActArguments),
    /// Correct fields of the event's data, and retry the held steps that use them
    Amend(AmendArguments),
    /// Cancel orders and undo what was done; rejected after a confirmed release
    Cancel(ActArguments),
    /// Let the releases of orders run before their assigns are granted; this breaks a cycle of swaps
    ReleaseFirst(ActArguments),
}

pub(super) async fn run(command: &OrderCommand, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    match command {
        OrderCommand::Show(arguments) => show::run(arguments, settings, output).await,
        OrderCommand::Why(arguments) => why::run(arguments, settings, output).await,
        OrderCommand::List(arguments) => Box::pin(list::run(arguments, settings, output)).await,
        OrderCommand::Retry(arguments) => Box::pin(act::run(&OrderAction::Retry, arguments, settings, output)).await,
        OrderCommand::Skip(arguments) => Box::pin(act::run(&OrderAction::Skip, arguments, settings, output)).await,
        OrderCommand::Amend(arguments) => Box::pin(act::amend(arguments, settings, output)).await,
        OrderCommand::Cancel(arguments) => Box::pin(act::run(&OrderAction::Cancel, arguments, settings, output)).await,
        OrderCommand::ReleaseFirst(arguments) => {
            Box::pin(act::run(&OrderAction::ReleaseFirst, arguments, settings, output)).await
        }
    }
}
