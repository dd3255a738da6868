import APISchema
import NetworkModel

/// What Nova is told of a port: one element of the body of `POST /os-server-external-events`.
struct NovaEvent: Hashable, Sendable {
    enum Name: String, Sendable {
        /// The port's status became ACTIVE (`completed`) or ERROR (`failed`): Nova starts the instance, or gives up.
        case plugged = "network-vif-plugged"
        /// The port's status went from ACTIVE to DOWN.
        case unplugged = "network-vif-unplugged"
        case deleted = "network-vif-deleted"
        /// Nova must read the port anew: its addresses, its floating IPs or anything else that users change.
        case changed = "network-changed"
    }

    enum Status: String, Sendable { case completed, failed }

    var name: Name
    /// The instance: the port's `device_id`.
    var serverID: String
    var portID: ResourceID
    var status: Status?

    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            let members =
                [
                    ("name", name.rawValue), ("server_uuid", serverID), ("tag", portID.description),
                ] + (status.map { [("status", $0.rawValue)] } ?? [])
            for (key, value) in members {
                writer.key(key)
                writer.string(value)
            }
        }
    }
}

/// What of an instance's port Nova cares for. Two of them, before and after, decide what Nova is told.
struct NovaPort: Hashable, Sendable {
    var serverID: String
    var status: ResourceStatus
    /// Hosts that have wired the port ahead of a migration.
    var wiredHosts: Set<String>
    /// Everything that users see of the port but its status, its bindings, and what changes with every change: as a digest.
    var digest: String
    /// Its floating IPs: address and fixed address of each.
    var floatingIPs: Set<String>

    private static let ownerPrefix = "compute:"
    /// Not part of the digest.
    private static let unnoticed: Set<String> = [
        "status", "revision_number", "created_at", "updated_at", "tags", "binding:host_id", "binding:vif_type", "binding:vif_details",
        "binding:vnic_type", "binding:profile",
    ]
    private static let noticed = Set(Port.table.attributes.filter { $0.isVisible && !unnoticed.contains($0.name) }.map(\.name))

    /// Nil for ports that are no instance's: Nova knows an instance by its UUID.
    init?(_ port: Port, floatingIPs: [FloatingIP]) {
        guard port.deviceOwner.hasPrefix(Self.ownerPrefix), ResourceID(port.deviceID) != nil else { return nil }
        serverID = port.deviceID
        status = port.status
        wiredHosts = Set(port.inactiveBindings.filter(\.isWired).map(\.hostID))
        var writer = JSONWriter(reservingCapacity: 1024)
        Port.table.write(port, fields: Self.noticed, to: &writer)
        digest = String(Self.hash(writer.bytes), radix: 16)
        self.floatingIPs = Set(floatingIPs.map { "\($0.address) \($0.fixedAddress?.description ?? "")" })
    }

    /// What to tell Nova when a port that was `old` is `new` (Neutron's rules, notifiers/nova.py).
    ///
    /// - Parameters:
    ///   - old: nil when the port was not there or not that instance's.
    ///   - new: nil when it is gone or is an instance's no more.
    ///   - isDeleted: whether the port itself is gone. Of a port that an instance merely gave back, Nova knows: it did that itself.
    static func events(of portID: ResourceID, from old: NovaPort?, to new: NovaPort?, isDeleted: Bool) -> [NovaEvent] {
        guard let new else {
            guard let old, isDeleted else { return [] }
            return [NovaEvent(name: .deleted, serverID: old.serverID, portID: portID)]
        }
        let old = old?.serverID == new.serverID ? old : nil
        var events: [NovaEvent] = []
        func append(_ name: NovaEvent.Name, _ status: NovaEvent.Status? = nil) {
            events.append(NovaEvent(name: name, serverID: new.serverID, portID: portID, status: status))
        }
        switch (old?.status, new.status) {
        case (.active?, .down): append(.unplugged, .completed)
        case (nil, .active), (.down?, .active), (.build?, .active): append(.plugged, .completed)
        case (nil, .error), (.down?, .error), (.build?, .error): append(.plugged, .failed)
        default:
            // The destination of a migration is ready; the port's status is still the source's.
            if !new.wiredHosts.subtracting(old?.wiredHosts ?? []).isEmpty { append(.plugged, .completed) }
        }
        if let old, old.digest != new.digest || old.floatingIPs != new.floatingIPs { append(.changed) }
        return events
    }

    /// FNV-1a, 64 bits: the same in every process, since digests are kept.
    private static func hash(_ bytes: [UInt8]) -> UInt64 {
        bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }
}

/// How it is kept.
extension NovaPort {
    var text: String {
        let members: [String: JSONValue] = [
            "server": .string(serverID), "status": .string(status.rawValue), "digest": .string(digest),
            "wired": .array(wiredHosts.sorted().map(JSONValue.string)), "floating": .array(floatingIPs.sorted().map(JSONValue.string)),
        ]
        return JSONValue.object(members).text
    }

    /// Nil when the text is damaged.
    init?(text: String) {
        guard let json = try? JSONParser.parse(text), let serverID = json["server"]?.stringValue,
            let status = json["status"]?.stringValue.flatMap({ ResourceStatus(rawValue: $0) }), let digest = json["digest"]?.stringValue,
            let wired = json["wired"]?.arrayValue, let floating = json["floating"]?.arrayValue
        else { return nil }
        self.serverID = serverID
        self.status = status
        self.digest = digest
        wiredHosts = Set(wired.compactMap(\.stringValue))
        floatingIPs = Set(floating.compactMap(\.stringValue))
    }
}
