import APISchema
import Glibc
import HostModel
import Metadata

/// Plugs instances into ports on the host that it runs on, where there is no Nova that does it, and unplugs them.
///
///     find or make the port ──▶ bind it to this host ──▶ make the device ──▶ wait until it is ACTIVE ──▶ configure
///           └────────────────────────── what fails takes back what was done before it ◀───────────────────┘
public struct Attacher: Sendable {
    let api: APIClient
    /// Tells what happens, a line each.
    let say: @Sendable (String) -> Void

    public init(api: APIClient, say: @escaping @Sendable (String) -> Void = { _ in }) {
        self.api = api
        self.say = say
    }

    public static func checkHost() throws(LabError) {
        guard geteuid() == 0 else { throw LabError("Devices are made by root: run this as root (sudo).") }
    }

    // MARK: Attach

    public func attach(_ request: AttachmentRequest) async throws -> AttachedPort {
        let devices = AttachmentDevices()
        var attachment = Attachment(device: try await devices.plan(request.plug), isPortMade: false)
        let port: JSONValue
        switch request.target {
        case .port(let name):
            let existing = try await api.resource("ports", name)
            attachment.remember(existing, isNamed: request.name != nil)
            port = try await bind(existing, attachment, request)
        case .network(let name, let new):
            attachment.isPortMade = true
            port = try await makePort(on: try await api.resource("networks", name), new, attachment, request)
        }
        let portID = try port.text("id")
        do {
            try checkBinding(port, request.host)
            return try await plug(port, attachment, request, devices)
        } catch {
            say("taking back what was done")
            await devices.remove(attachment.device, portID: portID)
            try? await release(portID, attachment)
            throw error
        }
    }

    /// Takes an existing port, that nobody else uses.
    private func bind(_ port: JSONValue, _ attachment: Attachment, _ request: AttachmentRequest) async throws -> JSONValue {
        let id = try port.text("id")
        let owner = port["device_owner"]?.stringValue ?? ""
        let host = port["binding:host_id"]?.stringValue ?? ""
        guard owner.isEmpty, port["device_id"]?.stringValue ?? "" == "" else {
            let place = host.isEmpty ? "" : " on \(host)"
            throw LabError(
                "Port \(id) is in use already (\(owner.isEmpty ? "by a device" : owner)\(place)): 'neutrino detach \(id)' frees one that attach took."
            )
        }
        var attributes = InstancePort.binding(host: request.host, deviceID: InstancePort.makeDeviceID())
        attributes["binding:profile"] = profile(attachment, request, besides: port["binding:profile"]?.objectValue ?? [:])
        if let name = request.name { attributes["dns_name"] = .string(name) }
        let bound = try await api.update("ports", id, .object(attributes))
        say("port \(id) is bound to \(request.host)")
        return bound
    }

    private func makePort(
        on network: JSONValue, _ new: AttachmentRequest.NewPort, _ attachment: Attachment, _ request: AttachmentRequest
    ) async throws -> JSONValue {
        var attributes = InstancePort.binding(host: request.host, deviceID: InstancePort.makeDeviceID())
        attributes["network_id"] = .string(try network.text("id"))
        attributes["binding:profile"] = profile(attachment, request)
        if let name = request.name {
            attributes["name"] = .string(name)
            attributes["dns_name"] = .string(name)
        }
        if let mac = new.mac { attributes["mac_address"] = .string(mac) }
        if !new.fixedAddresses.isEmpty {
            attributes["fixed_ips"] = .array(new.fixedAddresses.map { ["ip_address": .string($0)] })
        }
        if !new.securityGroups.isEmpty {
            var groups: [JSONValue] = []
            for group in new.securityGroups { groups.append(.string(try await api.resource("security-groups", group).text("id"))) }
            attributes["security_groups"] = .array(groups)
        }
        let port = try await api.create("ports", .object(attributes))
        say("port \(try port.text("id")) made on network \(network["name"]?.stringValue ?? "")")
        return port
    }

    private func profile(
        _ attachment: Attachment, _ request: AttachmentRequest, besides others: [String: JSONValue] = [:]
    ) -> JSONValue {
        var members = others
        members[Attachment.profileKey] = attachment.json
        var facts = request.facts
        facts.hostname = facts.hostname ?? request.name
        if facts != InstanceFacts() { members.merge(facts.profile.objectValue ?? [:]) { $1 } }
        return .object(members)
    }

    private func checkBinding(_ port: JSONValue, _ host: String) throws {
        guard port["binding:vif_type"]?.stringValue != "bridge" else { return }
        throw LabError(
            "Host \(host) cannot take the port (binding:vif_type is \(port["binding:vif_type"]?.stringValue ?? "missing")): 'openstack network agent "
                + "list' must show a living Linux bridge agent of that host, which carries the network by a tunnel or a mapped interface. --host says "
                + "which host this is.")
    }

    private func plug(
        _ port: JSONValue, _ attachment: Attachment, _ request: AttachmentRequest, _ devices: AttachmentDevices
    ) async throws -> AttachedPort {
        let network = try await api.show("networks", port.text("network_id"))
        let attached = AttachedPort(
            portID: try port.text("id"), networkName: network["name"]?.stringValue ?? "", host: request.host,
            mac: try port.text("mac_address"), mtu: network["mtu"]?.integerValue ?? 1500,
            tapName: InstancePort.tapName(portID: try port.text("id")), addresses: try await PortAddress.all(of: port, api),
            attachment: attachment)
        try await devices.make(attached, request.plug)
        say("\(attached.tapName) made; waiting for the agent of \(request.host)")
        let start = MonotonicTime.milliseconds
        try await waitUntil(
            "port \(attached.portID) to become ACTIVE: see the log of the agent on \(request.host) and 'openstack port show \(attached.portID)'",
            timeoutMilliseconds: request.timeoutMilliseconds
        ) { try await api.show("ports", attached.portID)["status"]?.stringValue == "ACTIVE" }
        say("ACTIVE after \(MonotonicTime.milliseconds - start) ms")
        if case .namespace(_, _, let usesDHCP) = request.plug {
            try await devices.configure(attached, usesDHCP: usesDHCP)
            say(usesDHCP ? "configured by DHCP" : "addresses set")
        }
        return attached
    }

    // MARK: Detach

    /// Unplugs what was attached to the port. A port that was made for it is deleted, another one is free again.
    ///
    /// - Parameters:
    ///   - name: the port's id or name, or the name of the namespace or the instance on this host.
    ///   - host: this host.
    public func detach(_ name: String, host: String) async throws {
        let port = try await find(name, host: host)
        let portID = try port.text("id")
        guard let attachment = Attachment(port: port) else {
            throw LabError("Nothing is attached to port \(portID) by neutrino attach; whoever uses it must detach it.")
        }
        let bound = port["binding:host_id"]?.stringValue ?? ""
        guard bound == host else {
            throw LabError(
                "Port \(portID) is attached on host \(bound), and this is \(host): detach it there, or say --host \(bound) if this is it.")
        }
        await AttachmentDevices().remove(attachment.device, portID: portID)
        try await release(portID, attachment)
        say(attachment.isPortMade ? "port \(portID) is deleted" : "port \(portID) is free")
    }

    private func find(_ name: String, host: String) async throws -> JSONValue {
        do { return try await api.resource("ports", name) } catch let error as LabError {
            let ports = try await api.list("ports", "device_owner=\(InstancePort.deviceOwner)&binding:host_id=\(host)")
            let attached = ports.filter { port in
                guard case .namespace(name, _, _)? = Attachment(port: port)?.device else { return false }
                return true
            }
            guard let port = attached.first else { throw error }
            guard attached.count == 1 else { throw LabError("Namespace \(name) has \(attached.count) attached ports: name one of them.") }
            return port
        }
    }

    private func release(_ portID: String, _ attachment: Attachment) async throws {
        if attachment.isPortMade {
            let (status, body) = try await api.send("DELETE", "/v2.0/ports/\(portID)")
            // Somebody may have deleted it before.
            guard (200..<300).contains(status) || status == 404 else {
                throw APIFailure(request: "DELETE /v2.0/ports/\(portID)", status: status, body: body)
            }
            return
        }
        _ = try await api.update("ports", portID, attachment.release(of: try await api.show("ports", portID)))
    }
}
