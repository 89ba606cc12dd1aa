import Foundation

/// A bundle's files. Nothing is handed out before its size and sha256 agree with the manifest.
public struct BundleFolder: Sendable {
    public let manifest: Manifest
    private let folder: URL

    /// Throws PocketIqaError: there is no manifest, or one that this version does not implement.
    public init(_ folder: URL) throws {
        self.folder = folder
        let name = "manifest.json"
        let json = try bytes(of: folder.appendingPathComponent(name), named: name, limit: Contract.maxManifestBytes)
        manifest = try Manifest(json: json)
    }

    /// Throws PocketIqaError: the manifest names no such variant; the message lists those it names.
    public func path(of variant: String) throws -> String {
        if let path = manifest.variants[variant] { return path }
        throw PocketIqaError(
            "the bundle \(manifest.name)-\(manifest.version) has no variant \(variant); "
                + "it has \(manifest.variants.keys.sorted().joined(separator: ", "))")
    }

    /// A file's bytes. Throws PocketIqaError: not in the manifest, missing, or changed.
    public func read(_ name: String) throws -> Data {
        guard let entry = manifest.files[name] else {
            throw PocketIqaError("\(name) is not in the manifest's files; copy the bundle anew")
        }
        let data = try bytes(of: place(of: name), named: name, limit: min(entry.bytes, Contract.maxFileBytes))
        if data.count != entry.bytes {
            throw PocketIqaError("\(name) has \(data.count) bytes, not \(entry.bytes); copy the bundle anew")
        }
        if sha256(data) != entry.sha256 {
            throw PocketIqaError(
                "\(name) is not the file that the manifest describes (sha256); copy the bundle anew")
        }
        return data
    }

    /// Where a variant's file or package lies, after every file of it was compared with the manifest.
    ///
    /// Throws PocketIqaError: there is no such variant, or a file of it is missing or changed.
    public func program(_ variant: String) throws -> URL {
        let path = try path(of: variant)
        let names = manifest.files.keys.filter { $0 == path || $0.hasPrefix(path + "/") }
        if names.isEmpty { throw PocketIqaError("\(path) is not in the manifest's files; copy the bundle anew") }
        for name in names.sorted() { _ = try read(name) }
        return try place(of: path)
    }

    private func place(of name: String) throws -> URL {
        if name.hasPrefix("/") || name.split(separator: "/").contains("..") {
            throw PocketIqaError("\(name) lies outside the bundle; do not use this bundle")
        }
        return folder.appendingPathComponent(name)
    }
}

/// At most one byte more than `limit`, which is enough to see that a file is too long.
private func bytes(of file: URL, named name: String, limit: Int) throws -> Data {
    do {
        let handle = try FileHandle(forReadingFrom: file)
        defer { try? handle.close() }
        return try handle.read(upToCount: limit + 1) ?? Data()
    } catch {
        throw PocketIqaError("\(name) cannot be read (\(error.localizedDescription)); copy the whole bundle")
    }
}
