import APISchema

/// An instance moves between two hosts while one on a third pings it every 10 ms: the longest time without a reply.
///
/// Its other self waits on the destination as a hypervisor has it during a live migration, with the same MAC and address and its device named after the
/// port, and is taken up when the first one was taken down; then the port is told, as Nova does. What an instance's own pause costs is not in it.
struct MoveBenchmark {
    static let runs = 8
    static let address = "10.0.0.240"
    static let mac = "fa:16:3e:00:f0:f0"

    let cloud: BenchmarkCloud

    private enum Way: String {
        /// The destination has an inactive binding, which is activated.
        case migration = "bindings activate"
        /// `binding:host_id` is another host.
        case rebinding = "binding:host_id"
    }

    func run() async throws -> [Measurement] {
        let hosts = cloud.lab.hosts
        guard hosts.count > 2, let observer = cloud.instances.first(where: { $0.host == hosts[2].name }) else {
            throw LabError("It takes three hosts, and an instance on the third.")
        }
        let mtu = try await cloud.lab.api.show("networks", cloud.network)["mtu"]?.integerValue
        var measurements: [Measurement] = []
        for way in [Way.migration, .rebinding] {
            var gaps: [Double] = []
            for run in 1...Self.runs {
                let (source, destination) = run.isMultiple(of: 2) ? (hosts[1], hosts[0]) : (hosts[0], hosts[1])
                gaps.append(try await move(way, from: source, to: destination, observer, mtu: mtu))
                cloud.narrator.say("move by \(way.rawValue), run \(run) of \(Self.runs): \(number(gaps.last ?? 0)) ms")
            }
            measurements.append(
                Measurement(
                    .move, "port moves to another host by \(way.rawValue): longest gap", unit: "ms", .atMost(200), .worst, gaps,
                    remark: "pings every 10 ms from an instance on a third host; the gap includes the 10 ms between pings"))
        }
        return measurements
    }

    private func move(_ way: Way, from source: LabHost, to destination: LabHost, _ observer: Instance, mtu: Int?) async throws -> Double {
        let api = cloud.lab.api
        let port = try await api.create(
            "ports",
            [
                "network_id": .string(cloud.network), "binding:host_id": .string(source.name), "device_owner": "compute:nova",
                "device_id": .string(InstancePort.makeDeviceID()), "mac_address": .string(Self.mac),
                "fixed_ips": [["ip_address": .string(Self.address)]],
            ])
        let portID = try port.text("id")
        let first = try await place("first", portID, on: source, mtu: mtu)
        defer { first.process.kill() }
        try await waitUntil("the port to be ACTIVE", timeoutMilliseconds: 20_000) { try await isActive(portID) }
        let second = try await place("second", portID, on: destination, mtu: mtu)
        defer { second.process.kill() }
        try await BackgroundThread.run { try second.batch(["link set eth0 down"]) }
        if way == .migration {
            try await api.call("POST", "/v2.0/ports/\(portID)/bindings", ["binding": ["host": .string(destination.name)]])
            let tap = InstancePort.tapName(portID: portID)
            try await waitUntil("the destination to be wired", timeoutMilliseconds: 20_000) {
                try await destination.place.output(["ip", "-oneline", "link", "show", "dev", tap]).contains(" master brq")
            }
        }
        let probe = try Probe.start(from: observer.place, to: Self.address)
        defer { probe.cancel() }
        try await probe.waitUntilSteady(replies: 50)
        try await BackgroundThread.run {
            try first.batch(["link set eth0 down"])
            // A route or address that went with "down" comes again by hand.
            try second.batch(["link set eth0 up"])
        }
        switch way {
        case .migration: try await api.call("PUT", "/v2.0/ports/\(portID)/bindings/\(destination.name)/activate")
        case .rebinding: _ = try await api.update("ports", portID, ["binding:host_id": .string(destination.name)])
        }
        try await probe.waitUntilSteady(replies: 50)
        let gap = try await probe.stop().longestGapMilliseconds
        let places = [source.place, destination.place]
        try await BackgroundThread.run {
            InstanceWiring(host: places[0]).stop(first, portID: portID)
            InstanceWiring(host: places[1]).stop(second, portID: portID)
        }
        try await api.delete("ports", portID)
        return gap
    }

    private func isActive(_ portID: String) async throws -> Bool {
        try await cloud.lab.api.show("ports", portID)["status"]?.stringValue == "ACTIVE"
    }

    private func place(_ name: String, _ portID: String, on host: LabHost, mtu: Int?) async throws -> Place {
        let lab = cloud.lab
        let place = try await BackgroundThread.run {
            try Place.finish(Place.start(name, role: "instance", lab: lab.name, state: lab.stateDirectory))
        }
        let hostPlace = host.place
        try await BackgroundThread.run {
            try InstanceWiring(host: hostPlace).plug(place, portID: portID, mac: Self.mac, mtu: mtu)
            try place.batch(["address add \(Self.address)/24 dev eth0"])
        }
        return place
    }
}
