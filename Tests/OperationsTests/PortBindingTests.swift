import APISchema
import AccessPolicy
import HostModel
import NetworkModel
import Operations
import TestSupport
import Testing

@Suite struct PortBindingTests {
    /// A port of an instance that runs on h1, in a cloud of h1 and h2.
    private func instance(_ backend: Backend = .sqlite) async throws -> (Cloud, Port) {
        let cloud = try Cloud(backend)
        for host in ["h1", "h2"] { try await cloud.report(host) }
        let network = try await cloud.network()
        let port = try await cloud.port(
            on: network,
            ["device_owner": "compute:nova", "device_id": "5a1f7c4e-0f4f-4a86-a4a5-3a1e6b1d8a11", "binding:host_id": "h1"])
        return (cloud, port)
    }

    private func bind(_ cloud: Cloud, _ port: Port, _ body: [String: JSONValue]) async throws -> PortBinding {
        try await cloud.operations.createBinding(
            ofPort: port.id.description, ResourceRequest<PortBinding>.create(body), caller: cloud.admin)
    }

    private func bindings(_ cloud: Cloud, _ port: Port) async throws -> [String] {
        try await cloud.operations.bindings(ofPort: port.id.description, caller: cloud.admin).map {
            "\($0.hostID) \($0.isActive ? "ACTIVE" : "INACTIVE") \($0.vifType)"
        }
    }

    @Test("A live migration binds the destination ahead, moves the port, and takes the source away", arguments: Backend.allCases)
    func migration(_ backend: Backend) async throws {
        let (cloud, port) = try await instance(backend)
        let id = port.id.description
        try await cloud.acknowledge(port, .l2, from: "h1")
        #expect(try await bindings(cloud, port) == ["h1 ACTIVE bridge"])
        let ahead = try await bind(cloud, port, ["host": "h2", "profile": ["migrating_to": "h2"]])
        #expect(!ahead.isActive && ahead.vifType == "bridge" && ahead.profile == "{\"migrating_to\":\"h2\"}")
        var shown = try await cloud.show(port)
        #expect(shown.hostID == "h1" && shown.status == .active && shown.wiringHostIDs == ["h1", "h2"])
        // The destination wires it: the port's status stays the source's.
        try await cloud.acknowledge(shown, .l2, from: "h2")
        shown = try await cloud.show(port)
        #expect(shown.inactiveBindings.map(\.isWired) == [true] && shown.status == .active)
        try await cloud.acknowledge(shown, .l2, from: "h2", .down)
        #expect(try await cloud.show(port).inactiveBindings.map(\.isWired) == [false])
        #expect(try await cloud.show(port).status == .active)

        let active = try await cloud.operations.activateBinding(ofPort: id, to: "h2", caller: cloud.admin)
        #expect(active.isActive && active.hostID == "h2")
        #expect(try await bindings(cloud, port) == ["h2 ACTIVE bridge", "h1 INACTIVE unbound"])
        shown = try await cloud.show(port)
        #expect(shown.hostID == "h2" && shown.status == .down && shown.wiringHostIDs == ["h2"])
        #expect(shown.bindingProfile == "{\"migrating_to\":\"h2\"}")
        #expect(shown.standard.revisionNumber > port.standard.revisionNumber)
        try await cloud.acknowledge(shown, .l2, from: "h2")
        #expect(try await cloud.show(port).status == .active)
        try await cloud.operations.deleteBinding(ofPort: id, to: "h1", caller: cloud.admin)
        #expect(try await bindings(cloud, port) == ["h2 ACTIVE bridge"])
        try await cloud.operations.deleteBinding(ofPort: id, to: "h2", caller: cloud.admin)
        shown = try await cloud.show(port)
        #expect(shown.hostID.isEmpty && shown.vifType == "unbound" && shown.status == .down)
        #expect(try await bind(cloud, port, ["host": "h1"]).isActive, "the first binding of an unbound port is active")
    }

    @Test("What Nova cannot do with bindings is refused in Neutron's words, and changes nothing")
    func refusals() async throws {
        let (cloud, port) = try await instance()
        let id = port.id.description
        _ = try await bind(cloud, port, ["host": "h2"])
        let before = try await cloud.show(port)
        func error<T>(_ body: () async throws -> T) async throws -> String? { try await apiError(body).map(\.description) }

        for host in ["h1", "h2"] {
            #expect(
                try await error { try await bind(cloud, port, ["host": .string(host)]) }
                    == "409 PortBindingAlreadyExists: Binding for port \(id) on host \(host) already exists.")
        }
        #expect(
            try await error { try await bind(cloud, port, ["host": "h9"]) }
                == "400 PortBindingError: Binding for port \(id) on host h9 could not be created or updated.")
        #expect(
            try await error { try await cloud.operations.activateBinding(ofPort: id, to: "h1", caller: cloud.admin) }
                == "409 PortBindingAlreadyActive: Binding for port \(id) on host h1 is already active.")
        let missing = "404 PortBindingNotFound: Binding for port \(id) for host h7 could not be found."
        #expect(try await error { try await cloud.operations.activateBinding(ofPort: id, to: "h7", caller: cloud.admin) } == missing)
        #expect(try await error { try await cloud.operations.deleteBinding(ofPort: id, to: "h7", caller: cloud.admin) } == missing)
        #expect(try await error { try await cloud.operations.binding(ofPort: id, to: "h7", caller: cloud.admin) } == missing)
        #expect(try await apiError { try await bind(cloud, port, ["host": "h3", "profile": 7]) }?.status == 400)
        #expect(try await apiError { try await bind(cloud, port, ["profile": [:]]) }?.status == 400)
        #expect(try await cloud.show(port) == before)

        let member = Caller(projectID: "p1", isAdmin: false)
        #expect(try await cloud.operations.bindings(ofPort: id, caller: member).isEmpty)
        #expect(try await apiError { try await cloud.operations.deleteBinding(ofPort: id, to: "h1", caller: member) }?.status == 403)
        let stranger = Caller(projectID: "p2", isAdmin: false)
        #expect(try await apiError { try await cloud.operations.bindings(ofPort: id, caller: stranger) }?.type == "PortNotFound")
        let plain = try await cloud.port(on: cloud.network())
        #expect(
            try await error { try await bind(cloud, plain, ["host": "h2"]) }
                == "400 BadRequest: Bad port request: Invalid port \(plain.id). Operation only valid on compute ports.")
    }

    @Test("A binding's profile and kind of device can be changed; a device that no bridge carries fails")
    func changed() async throws {
        let (cloud, port) = try await instance()
        let id = port.id.description
        _ = try await bind(cloud, port, ["host": "h2"])
        func update(_ host: String, _ body: [String: JSONValue]) async throws -> PortBinding {
            try await cloud.operations.updateBinding(ofPort: id, to: host, .update(body), caller: cloud.admin)
        }
        #expect(try await update("h2", ["profile": ["a": 1]]).profile == "{\"a\":1}")
        #expect(try await update("h1", ["profile": ["b": 2]]).isActive)
        #expect(try await cloud.show(port).bindingProfile == "{\"b\":2}")
        #expect(try await apiError { try await update("h2", ["vnic_type": "direct"]) }?.type == "PortBindingError")
        // Who binds the port to the destination directly needs the prepared binding no more.
        _ = try await cloud.update(port, ["binding:host_id": "h2"])
        #expect(try await bindings(cloud, port) == ["h2 ACTIVE bridge"])
        let direct = try await cloud.update(port, ["binding:vnic_type": "direct"])
        #expect(direct.vifType == "binding_failed")
        #expect(try await cloud.update(port, ["binding:host_id": "h9", "binding:vnic_type": "normal"]).vifType == "binding_failed")
    }
}
