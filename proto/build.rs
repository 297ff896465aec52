//! Generates the gRPC code with protox, so that building needs cargo alone and no protoc.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto");
    let files = protox::compile(["feed.proto", "admin.proto"], ["proto"])?;
    tonic_prost_build::configure().bytes(".dnsplane.feed.v1").compile_fds(files)?;
    Ok(())
}
