import APISchema
import AccessPolicy
import Addressing
import NetworkModel
import Store

extension AddressGroup: ManagedResource {
    public static func create(_ request: ResourceRequest<AddressGroup>, in verb: Verb) throws -> AddressGroup {
        var group = AddressGroup.blank
        try request.assign(to: &group)
        group.id = verb.newID()
        group.projectID = try verb.project(of: request)
        group.addresses = try addresses(request["addresses"] ?? .null, needsLength: true)
        verb.open(&group)
        try verb.transaction.insert(group)
        return group
    }

    public static func update(_ current: AddressGroup, _ request: ResourceRequest<AddressGroup>, in verb: Verb) throws -> AddressGroup {
        var group = current
        try request.assign(to: &group)
        try verb.save(&group)
        return group
    }

    public static func delete(_ group: AddressGroup, in verb: Verb) throws {
        let rules = try verb.transaction.rows(
            "SELECT 1 FROM security_group_rules WHERE remote_address_group_id = ? LIMIT 1", [group.id.columnValue])
        let templates = try verb.transaction.rows(
            "SELECT 1 FROM default_security_group_rules WHERE remote_address_group_id = ? LIMIT 1", [group.id.columnValue])
        guard rules.isEmpty, templates.isEmpty else {
            throw APIError.conflict("AddressGroupInUse", "Address group \(group.id) is in use on one or more security group rules.")
        }
        try verb.dropGrants(of: group.id)
        try verb.transaction.delete(AddressGroup.self, group.id)
    }

    public static var isSharedToUpdates: Bool { false }

    public static func notFound(_ id: String) -> APIError {
        .notFound("AddressGroupNotFound", "Address group \(id) could not be found.")
    }

    public static func shown(_ group: AddressGroup, in verb: Verb) throws -> AddressGroup {
        var shown = group
        shown.isShared = try group.isShared || verb.isShared(group.id)
        return shown
    }

    /// Addresses of one group: every host with a rule that names it holds them all.
    static let maximumAddressCount = 10_000

    /// Prefixes as clients write them, perhaps with host bits. Once each, in order.
    ///
    /// - Parameter needsLength: whether an address without one is refused: Neutron does so in a new group only.
    fileprivate static func addresses(_ json: JSONValue, needsLength: Bool = false) throws(APIError) -> [IPPrefix] {
        guard !json.isNull else { return [] }
        guard let entries = json.arrayValue else { throw .invalidAttribute("addresses", "'\(json.pythonText)' is not a list") }
        var addresses: Set<IPPrefix> = []
        var seen: Set<JSONValue> = []
        for entry in entries {
            guard seen.insert(entry).inserted else {
                throw .invalidAttribute("addresses", "Duplicate items in the list: '\(entry.pythonText)'")
            }
            guard let text = entry.stringValue, let prefix = IPPrefix(text), !needsLength || text.contains("/") else {
                throw .invalidAttribute("addresses", "'\(entry.pythonText)' is not a valid IP subnet")
            }
            addresses.insert(prefix)
        }
        return try checked(addresses)
    }

    fileprivate static func checked(_ addresses: Set<IPPrefix>) throws(APIError) -> [IPPrefix] {
        guard addresses.count <= maximumAddressCount else {
            throw .invalidAttribute("addresses", "the list has more than \(maximumAddressCount) items")
        }
        return addresses.sorted()
    }
}

extension Operations {
    /// `PUT /address-groups/{id}/add_addresses`.
    public func addAddresses(
        _ id: String, body: [String: JSONValue], ifMatch: RevisionConstraint? = nil, caller: Caller
    ) async throws -> AddressGroup {
        try await changeAddresses("add", id, body, ifMatch, caller) { group, addresses in
            let there = addresses.filter(group.addresses.contains)
            guard there.isEmpty else {
                throw APIError.invalid(
                    "AddressesAlreadyExist", "Addresses \(Self.list(there)) already exist in the address group \(group.id).")
            }
            group.addresses = try AddressGroup.checked(Set(group.addresses + addresses))
        }
    }

    /// `PUT /address-groups/{id}/remove_addresses`.
    public func removeAddresses(
        _ id: String, body: [String: JSONValue], ifMatch: RevisionConstraint? = nil, caller: Caller
    ) async throws -> AddressGroup {
        try await changeAddresses("remove", id, body, ifMatch, caller) { group, addresses in
            let missing = addresses.filter { !group.addresses.contains($0) }
            guard missing.isEmpty else {
                throw APIError.notFound(
                    "AddressesNotFound", "Addresses \(Self.list(missing)) not found in the address group \(group.id).")
            }
            group.addresses.removeAll(where: addresses.contains)
        }
    }

    private func changeAddresses(
        _ verbName: String, _ id: String, _ body: [String: JSONValue], _ ifMatch: RevisionConstraint?, _ caller: Caller,
        _ change: @escaping @Sendable (inout AddressGroup, [IPPrefix]) throws -> Void
    ) async throws -> AddressGroup {
        guard let json = body["addresses"], body.count == 1 else {
            throw APIError.invalidInput("addresses must be given, and nothing else")
        }
        let addresses = try AddressGroup.addresses(json)
        return try await write(caller) { verb in
            var group = try verb.authorized(AddressGroup.self, id, to: "\(verbName)_addresses", ifMatch: ifMatch)
            try change(&group, addresses)
            try verb.save(&group)
            return try verb.withComputed(group)
        }
    }

    private static func list(_ addresses: [IPPrefix]) -> String {
        JSONValue.array(addresses.map { .string($0.description) }).pythonText
    }
}
