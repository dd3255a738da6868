/// The names of collections as clients spell them. Neutron takes `-` and `_` for each other there, and clients use either: `network-segment-ranges`
/// and `network_segment_ranges` are one. Ids, tags and other names are left alone.
struct PathSpellings: Sendable {
    /// What stands before collections of a service of its own.
    private static let prefixes: Set<Substring> = ["qos"]

    /// The names of routes, by their spelling with dashes.
    private let names: [String: String]

    /// - Parameter paths: of all routes.
    init(paths: [String]) {
        let parts = paths.filter { $0.hasPrefix("/v2.0/") }.flatMap { $0.split(separator: "/").map(String.init) }
        let words = Set(parts.filter(Self.isSpelled))
        names = words.reduce(into: [:]) { names, word in
            let previous = names.updateValue(word, forKey: Self.dashed(word))
            precondition(previous == nil, "two names differ in more than their spelling")
        }
    }

    /// The path as routes spell it; nil when it is so already.
    func plainPath(_ path: String) -> String? {
        guard path.hasPrefix("/v2.0/"), Self.mayDiffer(path) else { return nil }
        var parts = path.split(separator: "/", omittingEmptySubsequences: false)
        // The first part is empty, the second the version.
        let first = parts.count > 2 && Self.prefixes.contains(parts[2]) ? 3 : 2
        var isChanged = false
        // A collection, and one that belongs to an item of it.
        for index in [first, first + 2] where index < parts.count {
            guard let name = names[Self.dashed(String(parts[index]))], name != parts[index] else { continue }
            parts[index] = name[...]
            isChanged = true
        }
        return isChanged ? parts.joined(separator: "/") : nil
    }

    /// Whether one of the parts that can name collections has a dash or an underscore. Byte by byte: every request is looked at.
    private static func mayDiffer(_ path: String) -> Bool {
        var part = 0
        var hasPrefix = false
        for byte in path.utf8 {
            switch byte {
            case UInt8(ascii: "/"):
                part += 1
                if part == 3 { hasPrefix = prefixes.contains { path.hasPrefix("/v2.0/\($0)/") } }
            case UInt8(ascii: "-"), UInt8(ascii: "_"):
                if part == (hasPrefix ? 3 : 2) || part == (hasPrefix ? 5 : 4) { return true }
            default: break
            }
        }
        return false
    }

    /// Whether a part of a route's path is a name, and can be spelled in several ways.
    private static func isSpelled(_ part: String) -> Bool {
        part.contains { $0 == "-" || $0 == "_" } && part.allSatisfy { $0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" }
    }

    private static func dashed(_ word: String) -> String { String(word.map { $0 == "_" ? "-" : $0 }) }
}
