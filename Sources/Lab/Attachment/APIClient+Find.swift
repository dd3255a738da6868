import APISchema

extension APIClient {
    /// The resource with this id or name.
    ///
    /// - Throws: a ``LabError`` when there is none, or more than one has the name.
    public func resource(_ collection: String, _ nameOrID: String) async throws -> JSONValue {
        let isPlain = nameOrID.utf8.allSatisfy { $0.isPlainInQuery }
        guard isPlain, !nameOrID.isEmpty else { throw LabError("'\(nameOrID)' is no name that can be looked for: give the id.") }
        for key in ["id", "name"] {
            let found = try await list(collection, "\(key)=\(nameOrID)")
            guard found.count <= 1 else { throw LabError("More than one of the \(collection) is named \(nameOrID): give its id.") }
            if let resource = found.first { return resource }
        }
        throw LabError("None of the \(collection) is named \(nameOrID): 'openstack \(Self.singular(collection)) list' shows them.")
    }
}

extension UInt8 {
    /// Letters, digits and - . _ ~ need no escape in a URL (RFC 3986, 2.3).
    fileprivate var isPlainInQuery: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"): true
        default: false
        }
    }
}
