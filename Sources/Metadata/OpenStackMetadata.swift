import APISchema
import Addressing
import Foundation

/// What is below `/openstack/VERSION/`.
enum OpenStackMetadata {
    static func document(at path: [String], for subject: InstanceSubject) -> MetadataDocuments.Document? {
        guard let name = path.first else {
            let names = ["meta_data.json", "network_data.json", "user_data", "vendor_data.json", "vendor_data2.json"]
            return .text(names.filter { $0 != "user_data" || subject.hasUserData }.joined(separator: "\n"))
        }
        guard path.count == 1 else { return nil }
        switch name {
        case "meta_data.json": return .json(metadata(of: subject).text)
        case "network_data.json": return .json(networks(of: subject).text)
        case "user_data": return subject.userData.map(MetadataDocuments.Document.bytes)
        case "vendor_data.json": return .json(subject.facts.vendorData ?? "{}")
        case "vendor_data2.json": return .json("{}")
        default: return nil
        }
    }

    private static func metadata(of subject: InstanceSubject) -> JSONValue {
        var members: [String: JSONValue] = [
            "uuid": .string(subject.id), "name": .string(subject.hostname), "hostname": .string(subject.hostname),
            "project_id": .string(subject.projectID), "launch_index": 0, "devices": [],
            "meta": .object(subject.facts.meta.mapValues { .string($0) }),
        ]
        if !subject.facts.publicKeys.isEmpty {
            members["public_keys"] = .object(subject.facts.publicKeys.mapValues { .string($0) })
            members["keys"] = .array(
                subject.sortedKeys.map { ["name": .string($0.name), "type": "ssh", "data": .string($0.text)] })
        }
        return .object(members)
    }

    // MARK: network_data.json

    private static func networks(of subject: InstanceSubject) -> JSONValue {
        var networks: [JSONValue] = []
        for port in subject.ports {
            for address in port.addresses { networks.append(network(address, of: port, index: networks.count)) }
        }
        let servers = subject.ports.flatMap(\.dnsServers).reduce(into: [IPAddress]()) { if !$0.contains($1) { $0.append($1) } }
        return [
            "links": .array(subject.ports.map(link)), "networks": .array(networks),
            "services": .array(servers.map { ["type": "dns", "address": .string($0.description)] }),
        ]
    }

    private static func link(_ port: SubjectPort) -> JSONValue {
        [
            "id": .string(name(port)), "vif_id": .string(port.id.description), "type": "bridge",
            "mtu": port.mtu.map { .integer($0) } ?? .null, "ethernet_mac_address": .string(port.mac.description),
        ]
    }

    private static func name(_ port: SubjectPort) -> String { "tap" + port.id.devicePart }

    private static func network(_ address: SubjectPort.Address, of port: SubjectPort, index: Int) -> JSONValue {
        var members: [String: JSONValue] = [
            "id": .string("network\(index)"), "link": .string(name(port)), "network_id": .string(port.networkID.description),
            "type": .string(type(of: address)),
        ]
        guard address.way == .fixed else { return .object(members) }
        members["ip_address"] = .string(address.address.description)
        members["netmask"] = .string(mask(address.address.version, address.prefixLength))
        members["routes"] = .array(
            address.gateway.map { gateway in
                let anywhere = gateway.version == .v4 ? "0.0.0.0" : "::"
                return [["network": .string(anywhere), "netmask": .string(anywhere), "gateway": .string(gateway.description)]]
            } ?? [])
        return .object(members)
    }

    private static func type(of address: SubjectPort.Address) -> String {
        switch (address.address.version, address.way) {
        case (.v4, .fixed): "ipv4"
        case (.v4, _): "ipv4_dhcp"
        case (.v6, .fixed): "ipv6"
        case (.v6, .dhcp): "ipv6_dhcpv6-stateful"
        case (.v6, .advertised): "ipv6_slaac"
        case (.v6, .advertisedWithDHCP): "ipv6_dhcpv6-stateless"
        }
    }

    private static func mask(_ version: IPVersion, _ length: Int) -> String {
        switch version {
        case .v4: IPv4Address(rawValue: length == 0 ? 0 : UInt32.max << UInt32(32 - length)).description
        case .v6: IPv6Address(rawValue: length == 0 ? 0 : UInt128.max << UInt128(128 - length)).description
        }
    }
}

extension InstanceSubject {
    var sortedKeys: [(name: String, text: String)] {
        facts.publicKeys.sorted { $0.key < $1.key }.map { (name: $0.key, text: $0.value) }
    }

    var hasUserData: Bool { facts.userData != nil }

    /// Nil also for a text that is no base64.
    var userData: [UInt8]? { facts.userData.flatMap { Data(base64Encoded: $0) }.map(Array.init) }
}
