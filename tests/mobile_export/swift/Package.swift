// swift-tools-version: 5.9
// An app that uses the package, as an app of a user's does: the program that the tests ask.
import PackageDescription

let package = Package(
    name: "answers",
    dependencies: [.package(path: "../package")],
    targets: [
        .executableTarget(
            name: "answers",
            dependencies: [
                .product(name: "PocketIqaCore", package: "package"), .product(name: "PocketIqa", package: "package"),
            ],
            path: "Sources")
    ]
)
