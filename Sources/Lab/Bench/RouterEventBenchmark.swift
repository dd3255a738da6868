/// Pings every 10 ms through SNAT and through a floating IP at once, beside four TCP connections, while something happens to the router's
/// master. The instance is on a host that is not the master's.
struct RouterEventBenchmark {
    let cloud: BenchmarkCloud
    let part: Benchmark.Part
    let event: RouterEvent
    var runs: Int

    private struct Series {
        var reports: [Traffic.Report] = []
        var lost: [Double] { reports.map { Double($0.lost) } }
        var survivors: [Double] { reports.map { Double($0.connections - $0.broken.count) } }
        var broken: [String] { reports.flatMap(\.broken) }
    }

    func run() async throws -> [Measurement] {
        var first = Series()
        var second = Series()
        for run in 1...runs {
            let host = try cloud.lab.host(await cloud.settledMaster())
            first.reports.append(try await observe(event.event, on: host, run: run))
            if let undo = event.undo { second.reports.append(try await observe(undo, on: host, run: run)) }
        }
        return measurements(event.event, first) + (event.undo.map { measurements($0, second) } ?? [])
    }

    /// The same with every agent and the server ended before, and started again after each run.
    func runUnattended() async throws -> [Measurement] {
        var series = Series()
        for run in 1...runs {
            let host = try cloud.lab.host(await cloud.settledMaster())
            try await cloud.lab.stopServices()
            do { series.reports.append(try await observe(event.event, on: host, run: run)) } catch {
                let failure = error
                try? await restoreServices()
                throw failure
            }
            try await restoreServices()
        }
        return measurements(event.event, series)
    }

    private func restoreServices() async throws {
        if !cloud.lab.isServerRunning { try await cloud.lab.startServer() }
        for host in cloud.lab.hosts { try await host.heal() }
        try await cloud.settledMaster()
    }

    private func observe(_ half: RouterEvent.Half, on host: LabHost, run: Int) async throws -> Traffic.Report {
        let (instance, floating) = try cloud.instance(offHost: host.name)
        let traffic = try await Traffic.start(cloud.lab, instance: instance, floating: floating, hasConnections: true)
        defer { traffic.cancel() }
        try await half.happen(cloud, host)
        try await traffic.waitUntilSteady(replies: half.settledReplies)
        let report = try await traffic.finish()
        cloud.narrator.say(
            """
            \(half.name), run \(run) of \(runs): \(number(report.outbound.longestGapMilliseconds)) ms out, \
            \(number(report.inbound.longestGapMilliseconds)) ms in, \(report.lost) lost, \
            \(report.connections - report.broken.count) of \(report.connections) connections go on
            """)
        return report
    }

    private func measurements(_ half: RouterEvent.Half, _ series: Series) -> [Measurement] {
        let outbound = series.reports.map(\.outbound.longestGapMilliseconds)
        let inbound = series.reports.map(\.inbound.longestGapMilliseconds)
        var measurements: [Measurement] = []
        switch half.tolerance {
        case .gap, .anything:
            var targets: [Measurement.Target] = []
            if case .gap(let median, let worst) = half.tolerance {
                targets = (median.map { [.init(.atMost($0), .median)] } ?? []) + [.init(.atMost(worst), .worst)]
            }
            measurements = [
                Measurement(part, "\(half.name): gap outbound (SNAT)", unit: "ms", targets, outbound),
                Measurement(part, "\(half.name): gap inbound (floating IP)", unit: "ms", targets, inbound),
            ]
        case .nothingLost:
            measurements = [
                Measurement(
                    part, "\(half.name): pings lost, both ways", unit: "pings", .atMost(0), .worst, series.lost,
                    remark: "longest gaps: \(number(outbound.max() ?? 0)) ms out, \(number(inbound.max() ?? 0)) ms in")
            ]
        }
        let count = series.reports.map(\.connections).max() ?? 0
        let survivedAll = series.survivors.count { $0 == Double(count) }
        let samples = series.broken.prefix(2).joined(separator: "; ")
        measurements.append(
            Measurement(
                part, "\(half.name): TCP connections that go on, of \(count)", unit: "connections", .atLeast(Double(count)), .worst,
                series.survivors, remark: "all \(count) in \(survivedAll) of \(runs) runs\(samples.isEmpty ? "" : "; broken: \(samples)")"))
        return measurements
    }
}
