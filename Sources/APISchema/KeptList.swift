import NetworkModel

/// A list of a row, read as ``JSONWriter`` wrote it. Ports are read many at a time, and the general parser makes a dictionary of each of their
/// addresses. What looks different is left to the parser: the result is the same, or nil.
struct KeptList {
    private let bytes: UnsafeBufferPointer<UInt8>
    private var offset = 0

    /// - Parameter element: reads one element; nil when it is written differently.
    static func elements<Element>(of text: String, _ element: (inout KeptList) -> Element?) -> [Element]? {
        var text = text
        return text.withUTF8 { bytes in
            var list = KeptList(bytes: bytes)
            return list.elements(element)
        }
    }

    private init(bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    private mutating func elements<Element>(_ element: (inout KeptList) -> Element?) -> [Element]? {
        guard skip("[") else { return nil }
        var elements: [Element] = []
        repeat {
            guard let next = element(&self) else { return nil }
            elements.append(next)
        } while skip(",")
        guard skip("]"), offset == bytes.count else { return nil }
        return elements
    }

    /// Goes over a text if it comes next.
    mutating func skip(_ text: StaticString) -> Bool {
        let count = text.utf8CodeUnitCount
        guard bytes.count - offset >= count else { return false }
        for index in 0..<count where bytes[offset + index] != text.utf8Start[index] { return false }
        offset += count
        return true
    }

    mutating func id() -> ResourceID? {
        guard bytes.count - offset >= Self.idLength,
            let id = ResourceID(utf8: UnsafeBufferPointer(rebasing: bytes[offset..<offset + Self.idLength]))
        else { return nil }
        offset += Self.idLength
        return id
    }

    /// What stands before the next quote; nil when that needs more than a look.
    mutating func word() -> String? {
        guard let end = bytes[offset...].firstIndex(of: UInt8(ascii: "\"")), !bytes[offset..<end].contains(UInt8(ascii: "\\")) else {
            return nil
        }
        defer { offset = end }
        return String(decoding: bytes[offset..<end], as: UTF8.self)
    }

    private static let idLength = 36
}
