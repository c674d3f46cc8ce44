//! Generates the inter-process messages from `proto/` with a Rust compiler of .proto files: no protoc is needed.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = ["skep/v1/directory.proto", "skep/v1/relay.proto", "skep/v1/peer.proto", "skep/v1/operator.proto"];
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(files, ["proto"])?;
    tonic_prost_build::configure().bytes(".").compile_fds(descriptors)?;
    Ok(())
}
