import APISchema

/// From the request for a port to its first reply to a neighbour's ping.
///
/// The instance is prepared as a hypervisor would have it: its namespace is there, with a MAC and an address that the request will name, and
/// the outer end of its veth waits on the host under a temporary name. When the port's id is known, that end is called after it and taken up. The
/// neighbour is an instance on another host that pings from before the request on. Both ask for each other's MAC by ARP every 10 ms
/// instead of every second: the network is measured, not the patience of ARP.
struct WiringBenchmark {
    static let runs = 15
    static let intervalMilliseconds = 5
    static let timeoutMilliseconds = 20_000
    static let firstAddress = 150

    let cloud: BenchmarkCloud

    private struct Times {
        var answered: Double
        var plugged: Double
        var replied: Double
    }

    func run() async throws -> [Measurement] {
        guard let neighbour = cloud.instances.last, let host = cloud.lab.hosts.first, neighbour.host != host.name else {
            throw LabError("There is no instance on another host.")
        }
        try await Self.hastenARP(neighbour.place)
        let mtu = try await cloud.lab.api.show("networks", cloud.network)["mtu"]?.integerValue
        var times: [Times] = []
        for run in 0..<Self.runs { times.append(try await measure(run, on: host, from: neighbour, mtu: mtu)) }
        let samples = times.map(\.replied)
        cloud.narrator.say("wire: median \(number(samples.median)) ms")
        return [
            Measurement(
                .wire, "port wired: POST to reply to a ping from another host", unit: "ms", .atMost(250), .median, samples,
                remark: """
                    medians: POST answered after \(number(times.map(\.answered).median)) ms, tap named after \
                    \(number(times.map(\.plugged).median)) ms; address set in the instance instead of DHCP, pings every \
                    \(Self.intervalMilliseconds) ms, ARP asks every 10 ms
                    """)
        ]
    }

    private func measure(_ run: Int, on host: LabHost, from neighbour: Instance, mtu: Int?) async throws -> Times {
        let address = "10.0.0.\(Self.firstAddress + run)"
        let digits = String(run + 16, radix: 16)
        let mac = "fa:16:3e:be:0c:\(digits)"
        let waiting = "prepared\(run)"
        let place = try await prepare(waiting, address: address, mac: mac, mtu: mtu, host: host)
        defer { place.process.kill() }
        let probe = try Probe.start(from: neighbour.place, to: address, intervalMilliseconds: Self.intervalMilliseconds)
        defer { probe.cancel() }

        let start = MonotonicTime.nanoseconds
        let port = try await cloud.lab.api.create(
            "ports",
            [
                "network_id": .string(cloud.network), "binding:host_id": .string(host.name), "device_owner": "compute:nova",
                "mac_address": .string(mac), "fixed_ips": [["ip_address": .string(address)]],
            ])
        let answered = MonotonicTime.nanoseconds
        let portID = try port.text("id")
        let hostPlace = host.place
        try await BackgroundThread.run { try hostPlace.batch(["link set \(waiting) name \(InstancePort.tapName(portID: portID)) up"]) }
        let plugged = MonotonicTime.nanoseconds
        let expectation = "\(address) to answer \(neighbour.name)"
        let replied = try await waitFor(expectation, timeoutMilliseconds: Self.timeoutMilliseconds, intervalMilliseconds: 5) {
            probe.firstReplyNanoseconds
        }
        try await BackgroundThread.run { InstanceWiring(host: hostPlace).stop(place, portID: portID) }
        try await cloud.lab.api.delete("ports", portID)
        func since(_ time: Int64) -> Double { Double(time - start) / 1_000_000 }
        return Times(answered: since(answered), plugged: since(plugged), replied: since(replied))
    }

    private func prepare(_ name: String, address: String, mac: String, mtu: Int?, host: LabHost) async throws -> Place {
        let size = mtu.map { "mtu \($0)" } ?? ""
        let lab = cloud.lab
        let place = try await BackgroundThread.run {
            try Place.finish(Place.start(name, role: "instance", lab: lab.name, state: lab.stateDirectory))
        }
        let hostPlace = host.place
        try await BackgroundThread.run {
            try hostPlace.batch(["link add \(name) \(size) type veth peer name eth0 address \(mac) \(size) netns \(place.processID)"])
            try place.batch(["address add \(address)/24 dev eth0", "link set eth0 up"])
        }
        try await Self.hastenARP(place)
        return place
    }

    static func hastenARP(_ place: Place) async throws {
        let script = "cd /proc/sys/net/ipv4/neigh/eth0 && echo 10 > retrans_time_ms && echo 2000 > mcast_solicit"
        try await place.output(["sh", "-c", script])
    }
}
