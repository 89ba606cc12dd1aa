// swift-tools-version: 5.9
import PackageDescription

let package = Package(
    name: "PocketIqa",
    platforms: [.iOS(.v17), .macOS(.v14)],
    products: [
        .library(name: "PocketIqa", targets: ["PocketIqa"]),
        .library(name: "PocketIqaCore", targets: ["PocketIqaCore"]),
    ],
    targets: [
        // Runs wherever Swift does: manifest, hashes, a photo's pixels to the input tensor, golden check, gate.
        .target(name: "PocketIqaCore"),
        // Apple's photos, frames and runtimes; empty elsewhere.
        .target(name: "PocketIqa", dependencies: ["PocketIqaCore"]),
    ]
)
