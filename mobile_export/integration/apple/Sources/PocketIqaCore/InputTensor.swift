// A photo's pixels to the tensor that manifest.json describes under `input`.

/// The network's input: views × 3 × height × width floats in [0, 1], channels R, G, B.
///
/// Throws PocketIqaError: the photo is smaller or larger than any that is judged.
public func inputTensor(_ photo: some Photo, _ spec: InputSpec) throws -> [Float] {
    try checkSize(photo.width, photo.height)
    let factor = halvingFactor(photo.width, photo.height, spec.enough)
    return try factor == 1
        ? tensor(photo, spec, isHalved: false) : tensor(halved(photo, factor), spec, isHalved: true)
}

private func tensor(_ photo: some Photo, _ spec: InputSpec, isHalved: Bool) throws -> [Float] {
    let area = spec.height * spec.width
    var tensor = [Float](repeating: 0, count: spec.views.count * 3 * area)
    for (index, view) in spec.views.enumerated() {
        let pixels = try view == "whole" ? whole(photo, spec) : detail(photo, spec, isHalved)
        for channel in 0..<3 {
            let start = (3 * index + channel) * area
            for place in 0..<area { tensor[start + place] = Float(pixels[3 * place + channel]) / 255 }
        }
    }
    return tensor
}

private func whole(_ photo: some Photo, _ spec: InputSpec) throws -> [UInt8] {
    func resized(_ photo: some Photo) -> [UInt8] {
        let box = Box(left: 0, top: 0, right: Float(photo.width), bottom: Float(photo.height))
        return resize(photo, box, spec.height, spec.width, spec.resample)
    }
    let factor = halvingFactor(photo.width, photo.height, spec.enoughForWhole)
    return try factor == 1 ? resized(photo) : resized(halved(photo, factor))
}

/// Halving takes a little of the finest detail, bicubic a little more, and Lanczos gives as much back: their mean.
private func detail(_ photo: some Photo, _ spec: InputSpec, _ isHalved: Bool) -> [UInt8] {
    let box = detailBox(photo, spec)
    let bicubic = resize(photo, box, spec.height, spec.width, spec.resample)
    if !isHalved { return bicubic }
    let lanczos = resize(photo, box, spec.height, spec.width, "lanczos")
    return zip(bicubic, lanczos).map { UInt8((Int($0) + Int($1)) / 2) }
}

/// Throws PocketIqaError: a photo of `width` × `height` is outside what is judged.
public func checkSize(_ width: Int, _ height: Int) throws {
    if min(width, height) < Contract.minSide {
        throw PocketIqaError(
            "\(width)×\(height) pixels is too small to be judged; each side needs at least \(Contract.minSide)")
    }
    if width.multipliedReportingOverflow(by: height).overflow || width * height > Contract.maxPixels {
        throw PocketIqaError(
            "\(width)×\(height) pixels is over the limit of \(Contract.maxPixels) pixels; downscale the photo")
    }
}

/// The part of a photo that becomes a view, in its own pixels.
struct Box {
    let left, top, right, bottom: Float
}

/// The centre at native pixels, of a photo over detail_short_side after a reduction to it, and of one smaller than the
/// view after an enlargement.
private func detailBox(_ photo: some Photo, _ spec: InputSpec) -> Box {
    let (width, height) = (Double(photo.width), Double(photo.height))
    let reduce = min(1, Double(spec.detailShortSide) / min(width, height))
    let scale = max(reduce, Double(spec.width) / width, Double(spec.height) / height)
    let (across, down) = (Double(spec.width) / scale, Double(spec.height) / scale)
    var left = max(0, (width - across) / 2)
    var top = max(0, (height - down) / 2)
    if scale == 1 { (left, top) = (left.rounded(.down), top.rounded(.down)) }
    let (right, bottom) = (min(left + across, width), min(top + down, height))
    return Box(left: Float(left), top: Float(top), right: Float(right), bottom: Float(bottom))
}
