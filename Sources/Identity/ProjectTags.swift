import APISchema

/// The tags of a project: words that people find it by.
public enum ProjectTags {
    /// Keystone's limits.
    static let maximumCount = 80
    static let maximumLength = 255

    /// The tags of a request, each once, in order.
    ///
    /// - Throws: 400, as Keystone's schema has it.
    public static func read(_ value: JSONValue) throws(IdentityError) -> [String] {
        guard let values = value.arrayValue else { throw .wrongType("tags", value, "array") }
        guard values.count <= maximumCount else { throw .badRequest("Invalid input for field 'tags': \(value.text) is too long") }
        var tags: Set<String> = []
        for value in values {
            guard let tag = value.stringValue else { throw .wrongType("tags", value, "string") }
            try check(tag)
            guard tags.insert(tag).inserted else {
                throw .badRequest("Invalid input for field 'tags': \(value.text) has non-unique elements")
            }
        }
        return tags.sorted()
    }

    /// Tags stand in paths, and in lists with commas between them.
    static func check(_ tag: String) throws(IdentityError) {
        guard (1...maximumLength).contains(tag.unicodeScalars.count), !tag.utf8.contains(0), !tag.contains(","), !tag.contains("/") else {
            throw .badRequest(
                "Invalid input for field 'tags': a tag has 1 to \(maximumLength) characters, none of which is a comma or a slash")
        }
    }

    /// What lists of projects are asked for by tags.
    public struct Filter: Hashable, Sendable {
        /// Of projects that have all of these.
        public var all: [String] = []
        /// Of projects that have one of these.
        public var any: [String] = []
        /// Not of projects that have all of these.
        public var notAll: [String] = []
        /// Not of projects that have one of these.
        public var notAny: [String] = []

        public init() {}

        public func admits(_ tags: [String]) -> Bool {
            func has(_ tag: String) -> Bool { tags.contains(tag) }
            if !all.allSatisfy(has) { return false }
            if !any.isEmpty, !any.contains(where: has) { return false }
            if !notAll.isEmpty, notAll.allSatisfy(has) { return false }
            return !notAny.contains(where: has)
        }
    }
}
