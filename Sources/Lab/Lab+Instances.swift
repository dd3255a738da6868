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
        request.merge(InstancePort.binding(host: hostName, deviceID: InstancePort.makeDeviceID())) { $1 }
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
            // Instances have a /run of their own.
            try Files.write(script, DHCPClient.script(resolverFile: "/run/resolv.conf"))
            chmod(script, 0o755)
        }
        let client = DHCPClient.command(device: "eth0", script: script)
        let result = try await instance.place.run(client, timeoutMilliseconds: DHCPClient.timeoutMilliseconds)
        guard result.exitCode == 0 else {
            throw LabError(
                "\(instance.name) got no lease by DHCP; the client says:\n\(result.standardOutput)\(result.standardError)"
                    + "The servers say:\n\(await dhcpLog(of: instance))")
        }
    }

    /// What the network's DHCP servers wrote about an instance last, on whichever host they are.
    private func dhcpLog(of instance: Instance) async -> String {
        var text = ""
        for host in hosts {
            let command = "grep -h -i \(instance.mac) \(host.stateDirectory)/dhcp/*/log 2>/dev/null | tail -n 30"
            guard let said = try? await host.place.run(["sh", "-c", command]).standardOutput, !said.isEmpty else { continue }
            text += "\(host.name):\n\(said)"
        }
        return text.isEmpty ? "(nothing about \(instance.mac))\n" : text
    }

    /// The addresses and gateways that the API names, set by hand.
    private func configureFixed(_ instance: Instance, port: JSONValue) async throws {
        let commands = PortAddress.configuration(try await PortAddress.all(of: port, api), device: "eth0")
        try await BackgroundThread.run { try instance.place.batch(commands) }
    }

    /// The id of the resource with this name or id.
    public func find(_ collection: String, _ nameOrID: String) async throws -> String {
        try await api.resource(collection, nameOrID).text("id")
    }

    private func checkNewName(_ instanceName: String) throws(LabError) {
        guard Self.isGoodName(instanceName) else {
            throw LabError("'\(instanceName)' is no name for an instance: use 1 to 30 lower-case letters, digits and dashes.")
        }
        try reload()
        let taken = state.instances[instanceName] != nil || state.places[instanceName] != nil
        guard !taken else { throw LabError("There is something named \(instanceName) in the lab already.") }
    }
}
