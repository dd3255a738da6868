/// An IPv6 address as a number, most significant octet first. Written as RFC 5952 asks.
public struct IPv6Address: Hashable, Sendable, Comparable {
    public var rawValue: UInt128

    public init(rawValue: UInt128) { self.rawValue = rawValue }

    /// Parses the forms of RFC 4291, section 2.2, an embedded IPv4 tail included. Zone suffixes are refused.
    public init?(_ text: some StringProtocol) {
        let halves = Self.splitAtDoubleColon(text)
        guard let halves, let head = Self.groups(halves.head, mayEndInIPv4: halves.tail == nil) else { return nil }
        guard let tailText = halves.tail else {
            guard head.count == 8 else { return nil }
            rawValue = Self.join(head)
            return
        }
        guard let tail = Self.groups(tailText, mayEndInIPv4: true), head.count + tail.count <= 7 else { return nil }
        rawValue = Self.join(head + Array(repeating: 0, count: 8 - head.count - tail.count) + tail)
    }

    /// The eight 16-bit groups.
    public var groups: [UInt16] {
        (0..<8).map { UInt16(truncatingIfNeeded: rawValue >> UInt128(112 - 16 * $0)) }
    }

    /// The sixteen octets in network order.
    public var octets: [UInt8] {
        (0..<16).map { UInt8(truncatingIfNeeded: rawValue >> UInt128(120 - 8 * $0)) }
    }

    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

    private static func join(_ groups: [UInt16]) -> UInt128 {
        groups.reduce(0) { $0 << 16 | UInt128($1) }
    }

    private static func splitAtDoubleColon<T: StringProtocol>(_ text: T) -> (head: [T.SubSequence], tail: [T.SubSequence]?)? {
        let bytes = Array(text.utf8)
        let marks = bytes.indices.dropLast().filter { bytes[$0] == 58 && bytes[$0 + 1] == 58 }
        guard let mark = marks.first else { return (text.split(separator: ":", omittingEmptySubsequences: false), nil) }
        // ":::" shows as two marks; so does a second "::".
        guard marks.count == 1 else { return nil }
        let start = text.utf8.index(text.startIndex, offsetBy: mark)
        let end = text.utf8.index(start, offsetBy: 2)
        let head = text[..<start]
        let tail = text[end...]
        return (
            head.isEmpty ? [] : head.split(separator: ":", omittingEmptySubsequences: false),
            tail.isEmpty ? [] : tail.split(separator: ":", omittingEmptySubsequences: false)
        )
    }

    /// The groups that the parts spell. Only the end of the whole text may be an IPv4 address in dotted form.
    private static func groups(_ parts: [some StringProtocol], mayEndInIPv4: Bool) -> [UInt16]? {
        var result: [UInt16] = []
        for (index, part) in parts.enumerated() {
            if mayEndInIPv4, index == parts.count - 1, part.utf8.contains(UInt8(ascii: ".")) {
                guard let tail = IPv4Address(part) else { return nil }
                result += [UInt16(tail.rawValue >> 16), UInt16(truncatingIfNeeded: tail.rawValue)]
            } else {
                guard let group = Self.group(part) else { return nil }
                result.append(group)
            }
        }
        return result
    }

    /// One to four hexadecimal digits, and nothing else: the standard library's parser would take a sign as well.
    private static func group(_ text: some StringProtocol) -> UInt16? {
        guard (1...4).contains(text.utf8.count) else { return nil }
        var value: UInt16 = 0
        for byte in text.utf8 {
            guard let digit = hexadecimalDigit(byte) else { return nil }
            value = value << 4 | UInt16(digit)
        }
        return value
    }
}

extension IPv6Address: CustomStringConvertible {
    public var description: String {
        let groups = groups
        // RFC 5952, section 5: an address that is known to hold an IPv4 address (::ffff:0:0/96) shows it.
        if rawValue >> 32 == 0xFFFF { return "::ffff:\(IPv4Address(rawValue: UInt32(truncatingIfNeeded: rawValue)))" }
        guard let zeros = Self.longestZeroRun(groups) else { return Self.hex(groups[...]) }
        return Self.hex(groups[..<zeros.lowerBound]) + "::" + Self.hex(groups[zeros.upperBound...])
    }

    private static func hex(_ groups: ArraySlice<UInt16>) -> String {
        groups.map { String($0, radix: 16) }.joined(separator: ":")
    }

    /// The first of the longest runs of at least two zero groups (RFC 5952, section 4.2).
    private static func longestZeroRun(_ groups: [UInt16]) -> Range<Int>? {
        var best: Range<Int>?
        var start = 0
        while start < groups.count {
            var end = start
            while end < groups.count, groups[end] == 0 { end += 1 }
            if end - start >= 2, end - start > (best?.count ?? 0) { best = start..<end }
            start = max(end, start + 1)
        }
        return best
    }
}
