// The members of Core Graphics that the Apple layer calls, as Apple's documentation declares them.
@_exported import Foundation

public typealias CFString = String
public typealias CFData = NSData
public typealias CFDictionary = NSDictionary

public final class CGColorSpace {
    public static let sRGB = "sRGB"
    public init?(name: CFString) {}
}

public enum CGImageAlphaInfo: UInt32 { case noneSkipLast = 5 }

public final class CGImage {
    public var width: Int { fatalError() }
    public var height: Int { fatalError() }
}

public final class CGContext {
    public init?(
        data: UnsafeMutableRawPointer?, width: Int, height: Int, bitsPerComponent: Int, bytesPerRow: Int,
        space: CGColorSpace, bitmapInfo: UInt32
    ) {}
    public var data: UnsafeMutableRawPointer? { fatalError() }
    public var bytesPerRow: Int { fatalError() }
    public func setFillColor(red: CGFloat, green: CGFloat, blue: CGFloat, alpha: CGFloat) {}
    public func fill(_ rect: CGRect) {}
    public func draw(_ image: CGImage, in rect: CGRect) {}
}
