import APISchema
import Addressing
import Glibc
import HostModel
import Metadata

extension Lab {
    static let portReadyTimeoutMilliseconds = 20_000

    /// Creates a port bound to the host, and an instance plugged into it.
    ///
    /// - Parameters:
    ///   - network: name or id.
    ///   - securityGroups: names or ids; nil: the project's default group.
    ///   - attributes: more attributes of the port.
    ///   - facts: what the metadata service tells the instance; without a hostname it is called by its name.
    /// - Returns: the instance, configured.
    @discardableResult
    public func createInstance(
        _ instanceName: String, host hostName: String, network: String, securityGroups: [String]? = nil,
        configuration: Instance.Configuration = .dhcp, attributes: [String: JSONValue] = [:], facts: InstanceFacts = InstanceFacts()
    ) async throws -> Instance {
        let host = try host(hostName)
        try checkNewName(instanceName)
        let start = try Place.start(instanceName, role: "instance", lab: name, state: directory.path)
        var isKept = false
        let place = try await BackgroundThread.run { try Place.finish(start) }
        defer { if !isKept { place.process.kill() } }

        let networkID = try await find("networks", network)
        var request = attributes
        request["name"] = .string(instanceName)
        request["network_id"] = .string(networkID)
        request["binding:host_id"] = .string(hostName)
        request["device_owner"] = "compute:nova"
        request["device_id"] = .string(Self.makeDeviceID())
        var facts = facts
        facts.hostname = facts.hostname ?? instanceName
        request["binding:profile"] = facts.profile
        if let securityGroups {
            var groups: [JSONValue] = []
            for group in securityGroups { groups.append(.string(try await find("security-groups", group))) }
            request["security_groups"] = .array(groups)
        }
        let port = try await api.create("ports", .object(request))
        let portID = try port.text("id")
        do {
            let instance = try await plug(place, name: instanceName, into: port, of: host, configuration: configuration)
            isKept = true
            return instance
        } catch {
            try? await api.delete("ports", portID)
            throw error
        }
    }

    private func plug(
        _ place: Place, name instanceName: String, into port: JSONValue, of host: LabHost, configuration: Instance.Configuration
    ) async throws -> Instance {
        let portID = try port.text("id")
        let mac = try port.text("mac_address")
        let addresses = port["fixed_ips"]?.arrayValue?.compactMap { $0["ip_address"]?.stringValue } ?? []
        let address = addresses.first(where: SocketAddress.isIPv4) ?? ""
        let mtu = try await api.show("networks", port.text("network_id"))["mtu"]?.integerValue
        let hostPlace = host.place
        try await BackgroundThread.run { try InstanceWiring(host: hostPlace).plug(place, portID: portID, mac: mac, mtu: mtu) }
        let record = Instance.Record(host: host.name, portID: portID, mac: mac, address: address, processID: place.processID)
        try change { $0.instances[instanceName] = record }
        let instance = Instance(name: instanceName, record: record)
        do {
            switch configuration {
            case .dhcp: try await configureByDHCP(instance)
            case .fixed: try await configureFixed(instance, port: port)
            }
        } catch {
            let failure = error
            try? await BackgroundThread.run { InstanceWiring(host: hostPlace).stop(place, portID: portID) }
            try? change { $0.instances[instanceName] = nil }
            throw failure
        }
        return instance
    }

    /// Unplugs the instance and deletes its port.
    public func deleteInstance(_ instanceName: String) async throws {
        let instance = try instance(instanceName)
        let hostPlace = try host(instance.host).place
        try await BackgroundThread.run { InstanceWiring(host: hostPlace).stop(instance.place, portID: instance.portID) }
        try change { $0.instances[instanceName] = nil }
        let (status, body) = try await api.send("DELETE", "/v2.0/ports/\(instance.portID)")
        // Somebody may have deleted the port before.
        guard (200..<300).contains(status) || status == 404 else {
            throw APIFailure(request: "DELETE /v2.0/ports/\(instance.portID)", status: status, body: body)
        }
    }

    /// Runs the DHCP client once in the instance; it leaves when it has a lease.
    public func configureByDHCP(_ instance: Instance) async throws {
        let api = api
        try await waitUntil(
            "port \(instance.portID) of \(instance.name) to become ACTIVE (the agent's log is \(logPath(instance.host)))",
            timeoutMilliseconds: Self.portReadyTimeoutMilliseconds
        ) { try await api.show("ports", instance.portID)["status"]?.stringValue == "ACTIVE" }
        let script = "\(directory.path)/udhcpc-script"
        if access(script, X_OK) != 0 {
            try Files.write(script, Instance.dhcpScript)
            chmod(script, 0o755)
        }
        let client = ["busybox", "udhcpc", "-i", "eth0", "-f", "-n", "-q", "-t", "15", "-T", "1", "-O", "121", "-O", "mtu", "-s", script]
        let result = try await instance.place.run(client, timeoutMilliseconds: 30_000)
        guard result.exitCode == 0 else {
            throw LabError("\(instance.name) got no lease by DHCP; the client says:\n\(result.standardOutput)\(result.standardError)")
        }
    }

    /// The addresses and gateways that the API names, set by hand.
    private func configureFixed(_ instance: Instance, port: JSONValue) async throws {
        var lines: [String] = []
        for fixed in port["fixed_ips"]?.arrayValue ?? [] {
            let subnet = try await api.show("subnets", try fixed.text("subnet_id"))
            let length = try subnet.text("cidr").split(separator: "/").last ?? "24"
            lines.append("address add \(try fixed.text("ip_address"))/\(length) dev eth0")
            if let gateway = subnet["gateway_ip"]?.stringValue { lines.append("route add default via \(gateway)") }
        }
        let commands = lines
        try await BackgroundThread.run { try instance.place.batch(commands) }
    }

    /// The id of the resource with this name or id.
    public func find(_ collection: String, _ nameOrID: String) async throws -> String {
        let allowed = nameOrID.utf8.allSatisfy { $0.isPlainInQuery }
        guard allowed, !nameOrID.isEmpty else { throw LabError("'\(nameOrID)' is no name that the lab can look for.") }
        for key in ["id", "name"] {
            let found = try await api.list(collection, "\(key)=\(nameOrID)")
            guard found.count <= 1 else { throw LabError("More than one of the \(collection) is named \(nameOrID): give its id.") }
            if let id = found.first?["id"]?.stringValue { return id }
        }
        throw LabError("None of the \(collection) is named \(nameOrID): 'openstack \(APIClient.singular(collection)) list' shows them.")
    }

    private func checkNewName(_ instanceName: String) throws(LabError) {
        guard Self.isGoodName(instanceName) else {
            throw LabError("'\(instanceName)' is no name for an instance: use 1 to 30 lower-case letters, digits and dashes.")
        }
        try reload()
        let taken = state.instances[instanceName] != nil || state.places[instanceName] != nil
        guard !taken else { throw LabError("There is something named \(instanceName) in the lab already.") }
    }

    /// A random version 4 UUID (RFC 9562), as Nova gives its instances.
    private static func makeDeviceID() -> String {
        var bytes = (0..<16).map { _ in UInt8.random(in: 0...255) }
        bytes[6] = bytes[6] & 0x0F | 0x40
        bytes[8] = bytes[8] & 0x3F | 0x80
        let digits = Array("0123456789abcdef")
        return bytes.enumerated().map { index, byte in
            ([4, 6, 8, 10].contains(index) ? "-" : "") + String([digits[Int(byte >> 4)], digits[Int(byte & 15)]])
        }.joined()
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
