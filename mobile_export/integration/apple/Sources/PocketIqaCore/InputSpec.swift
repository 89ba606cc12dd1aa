/// How a photo becomes the input tensor.
public struct InputSpec: Sendable {
    /// Of each view, in pixels.
    public let height, width: Int
    /// `whole` and `detail`, in the order of the tensor's first axis.
    public let views: [String]
    /// The `detail` view of a photo whose short side is longer is cut after a reduction to this.
    public let detailShortSide: Int
    /// The antialiased filter: `bilinear`, `bicubic` or `lanczos`.
    public let resample: String
    /// How a large photo is reduced before its views are cut: `none` or `halves`.
    public let reduction: String

    /// Pixels that must be left of a photo's short side when it is halved; nil where no photo is halved.
    public var enough: Int? { reduction == "halves" ? max(detailShortSide, height, width) * 7 / 5 : nil }

    /// What must be left of a picture's short side when it is halved for the `whole` view; nil where none is.
    public var enoughForWhole: Int? { reduction == "halves" ? 2 * max(height, width) : nil }

    /// Of the tensor: views, 3, height, width.
    public var shape: [Int] { [views.count, 3, height, width] }

    /// Throws PocketIqaError: a field is missing, of another kind, or one that this code does not implement.
    init(_ fields: [String: InputField]) throws {
        for (field, only) in Contract.fixedInput.sorted(by: { $0.key < $1.key }) {
            guard let found = fields[field]?.text, found != only else { continue }
            throw notImplemented(field, found, only)
        }
        if let range = fields["value_range"]?.text, range != "[0.0, 1.0]" {
            throw notImplemented("value_range", range, "[0, 1]")
        }
        height = try number(fields, "height")
        width = try number(fields, "width")
        detailShortSide = try number(fields, "detail_short_side")
        guard case .words(let views)? = fields["views"], !views.isEmpty else { throw missing("views") }
        if let unknown = views.first(where: { !Contract.views.contains($0) }) {
            throw notImplemented("views", unknown, Contract.views.joined(separator: ", "))
        }
        guard case .word(let resample)? = fields["resample"] else { throw missing("resample") }
        guard kernels[resample] != nil else {
            throw notImplemented("resample", resample, kernels.keys.sorted().joined(separator: ", "))
        }
        let reduction = fields["reduction"]?.text ?? "none"
        guard Contract.reductions.contains(reduction) else {
            throw notImplemented("reduction", reduction, Contract.reductions.joined(separator: ", "))
        }
        (self.views, self.resample, self.reduction) = (views, resample, reduction)
    }
}

/// A value of the input spec, whatever its type.
enum InputField: Decodable {
    case flag(Bool), number(Double), word(String), words([String]), numbers([Double]), other

    init(from decoder: Decoder) throws {
        let value = try decoder.singleValueContainer()
        if let flag = try? value.decode(Bool.self) {
            self = .flag(flag)
        } else if let number = try? value.decode(Double.self) {
            self = .number(number)
        } else if let word = try? value.decode(String.self) {
            self = .word(word)
        } else if let words = try? value.decode([String].self) {
            self = .words(words)
        } else if let numbers = try? value.decode([Double].self) {
            self = .numbers(numbers)
        } else {
            self = .other
        }
    }

    var text: String {
        switch self {
        case .flag(let flag): return "\(flag)"
        case .number(let number): return "\(number)"
        case .word(let word): return word
        case .words(let words): return words.joined(separator: ", ")
        case .numbers(let numbers): return "\(numbers)"
        case .other: return "an object"
        }
    }
}

private func number(_ fields: [String: InputField], _ name: String) throws -> Int {
    guard case .number(let value)? = fields[name], let whole = Int(exactly: value), whole >= 1 else {
        throw missing(name)
    }
    return whole
}

private func missing(_ field: String) -> PocketIqaError {
    PocketIqaError("manifest.json cannot be read: input lacks a usable \(field); copy the bundle anew")
}

private func notImplemented(_ field: String, _ found: String, _ known: String) -> PocketIqaError {
    PocketIqaError(
        "manifest.json has an input whose \(field) is \(found); this code implements \(known): "
            + "copy the bundle's own integration/apple")
}
