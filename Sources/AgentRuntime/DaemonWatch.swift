import Drivers
import NetworkModel
import ServiceProcesses

/// Waits for the end of one daemon's process.
struct DaemonWatch {
    var process: Int32
    var task: Task<Void, Never>
    /// The election, which may hear of the end first, has already said that a new one may be started.
    var isReleased = false
}

extension Agent {
    /// Daemons whose end is noticed at once, each at the cost of a descriptor. The end of any other is noticed by the next full check.
    static let maximumWatches = 4096

    /// Watches the processes that daemons have now, and forgets those that they had.
    func refreshWatches() {
        let current = reconciler.daemonProcesses
        for (key, watch) in watches where current[key] != watch.process {
            watch.task.cancel()
            watches[key] = nil
        }
        for (key, process) in current where watches[key] == nil && watches.count < Self.maximumWatches {
            let hasEnded = senses.hasEnded
            watches[key] = DaemonWatch(process: process, task: Task { if await hasEnded(process) { daemonEnded(key, process) } })
        }
    }

    /// A cycle may look at a daemon before its watch has told of its end.
    func logEnds(_ result: ApplyReport) {
        for (key, process) in result.endedDaemons.sorted(by: { $0.key < $1.key }) where watches[key]?.process == process {
            logEnd(of: key, process)
        }
    }

    private func logEnd(of key: String, _ process: Int32) {
        logger.warning("A daemon ended by itself", metadata: ["key": "\(key)", "process": "\(process)"])
    }

    private func daemonEnded(_ key: String, _ process: Int32) {
        // A process that the supervisor replaced is nobody's loss.
        guard let watch = watches[key], watch.process == process else { return }
        watches[key] = nil
        let wasTold = reconciler.isEndingDaemon(key)
        if wasTold, KeepalivedDaemon.router(ofKey: key) == nil {
            // It was told to, and the next cycle may start it again. A keepalived's end is news for its group, whoever wanted it.
            cycleWakeUp()
            return
        }
        if !wasTold { logEnd(of: key, process) }
        if let id = KeepalivedDaemon.router(ofKey: key).flatMap({ ResourceID($0) }) { noteEnd(ofKeepalivedOf: id) }
        if senses.election != nil, !watch.isReleased, KeepalivedDaemon.router(ofKey: key) != nil {
            // Its start would take the master's addresses away: first another member shall have them. The election says when.
            reconciler.holdDaemon(key, forMilliseconds: Self.successionMilliseconds)
        }
        reconciler.markDaemonDirty(key)
        cycleWakeUp()
    }
}
