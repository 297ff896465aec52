//! docs/bootstrapping.md, carried out from its first line to its last as it is printed, on machines with real daemons.
//!
//! - A block `console nodes` holds commands, each after the name of its machine: `a$ …`. They run with `bash`. Lines
//!   below a command are what it prints; `…` stands for anything in a line, and alone for any lines. Columns may be
//!   of any width.
//! - A block `json M:PATH` is a file, written to that path of machine M.
//! - A command that only looks is repeated until it prints what is shown, as a reader would; others run once.
//!
//! What is not as printed is in [`machine`]: addresses, the two ports, and where a machine's folders are.

mod guide;
mod machine;

use dnsplane_tests::{PATIENCE, program::workspace, wait::within};
use guide::{Deed, Step, matches};
use machine::Machines;
use std::fs;

/// Commands that change nothing, so that they may be repeated.
const LOOKS: &[&str] = &[
    "dnsplanectl cluster status",
    "dnsplanectl cluster conflicts",
    "dnsplanectl cluster join",
    "dnsplanectl cluster pull",
    "dnsplanectl record list",
    "dnsplanectl server config",
    "dnsplanectl server status",
    "dnsplanectl tools dig",
];

#[test]
fn the_guide_leads_from_nothing_to_a_cluster() {
    let file = workspace().join("docs/bootstrapping.md");
    let text = fs::read_to_string(&file).expect("the guide is there");
    let steps = guide::steps(&text);
    assert!(steps.len() > 30, "only {} steps: are the blocks still labelled?", steps.len());
    let mut machines = Machines::start();
    for step in &steps {
        if let Err(wrong) = carry_out(step, &mut machines) {
            panic!("docs/bootstrapping.md:{}: {wrong}\n{}", step.line, machines.logs());
        }
    }
}

fn carry_out(step: &Step, machines: &mut Machines) -> Result<(), String> {
    match &step.deed {
        Deed::Write { path, text } => machines.write(step.machine, path, text),
        Deed::Run { command, expected } => {
            let mut attempt = || {
                let printed = machines.run(step.machine, command)?;
                if expected.is_empty() || matches(expected, &printed) {
                    return Ok(());
                }
                Err(format!("`{command}` is to print\n{}\nand prints\n{printed}", expected.join("\n")))
            };
            let looks = LOOKS.iter().any(|look| command.starts_with(look));
            if looks { within(PATIENCE, attempt) } else { attempt() }
        }
    }
}
