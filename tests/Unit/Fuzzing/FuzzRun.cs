using System.Diagnostics;
using System.Globalization;
using System.Text;
using Sway.Adapters;
using Sway.Unit.Support;

namespace Sway.Unit.Fuzzing;

/// <summary>
/// Changes one file of a target again and again. What may come out: a result, or an error of Sway's family. What may not: any other
/// exception, a hang, a large allocation, anything left behind by a failure, or a wrong number.
/// </summary>
internal sealed class FuzzRun : IDisposable
{
    // Honest work takes milliseconds. On a machine that does other things too only the processor's time tells, where it is known.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_hang = TimeSpan.FromSeconds(20);

    private const long MaximumAllocation = 1L << 28;

    private readonly FuzzTarget _target;
    private readonly TemporaryFolder _folder = new();
    private readonly string _source;
    private readonly string? _base;
    private readonly string[] _victims;
    private readonly Dictionary<string, byte[]> _originals = new(StringComparer.Ordinal);
    private readonly HashSet<string> _seen = new(StringComparer.Ordinal);

    public FuzzRun(FuzzTarget target)
    {
        _target = target;
        _source = Copy(Repository.Fixture(target.Source.Split('/')), "source");
        _base = target.Base is null ? null : Copy(Repository.Fixture(target.Base.Split('/')), "base");
        string victims = target.ChangesBase ? _base! : _source;
        _victims = [.. Directory.GetFiles(victims).Order(StringComparer.Ordinal)];
        foreach (string victim in _victims)
        {
            _originals.Add(victim, File.ReadAllBytes(victim));
        }
    }

    /// <summary>What went wrong, each kind once, with what is needed to see it again.</summary>
    public List<string> Findings { get; } = [];

    /// <summary>Rounds done.</summary>
    public int Rounds { get; private set; }

    /// <summary>Rounds in which the changed files were used without an error.</summary>
    public int Accepted { get; private set; }

    /// <summary>One changed file.</summary>
    /// <param name="seed">Decides everything about the round.</param>
    public void Round(int seed)
    {
        var random = new Random(seed);
        string victim = _victims[random.Next(_victims.Length)];
        byte[] original = _originals[victim];
        byte[] changed = random.Next(5) == 0 && original.Length > 0
            ? original[..((seed & int.MaxValue) % original.Length)]
            : FileMutator.Mutate(victim, original, random);
        File.WriteAllBytes(victim, changed);
        try
        {
            Judge(seed, victim, changed);
        }
        finally
        {
            File.WriteAllBytes(victim, original);
            Rounds++;
        }
    }

    public void Dispose() => _folder.Dispose();

    private void Judge(int seed, string victim, byte[] changed)
    {
        string work = Path.Combine(_folder.Path, "work");
        string output = Path.Combine(work, "out");
        Directory.CreateDirectory(work);
        Exception? error = null;
        long allocated = 0;
        var worker = new Thread(
            () =>
            {
                long before = GC.GetAllocatedBytesForCurrentThread();
                try
                {
                    _target.Use(_source, _base, output);
                }
                catch (Exception e)
                {
                    error = e;
                }

                allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            },
            maxStackSize: 1 << 20);
        var clock = Stopwatch.StartNew();
        worker.Start();
        TimeSpan before = Environment.CpuUsage.TotalTime;
        while (!worker.Join(s_patience))
        {
            if (Environment.CpuUsage.TotalTime - before > s_hang)
            {
                Report(seed, victim, changed, "hangs", "no answer after 20 seconds of the processor");
                worker.Join();
            }
        }

        if (allocated > MaximumAllocation)
        {
            Report(seed, victim, changed, "allocates", $"{allocated >> 20} MB for files of {_originals.Values.Sum(bytes => bytes.LongLength) >> 10} kB, in {clock.ElapsedMilliseconds} ms; {error?.Message}");
        }

        if (error is not null)
        {
            JudgeError(seed, victim, changed, error, work);
        }
        else
        {
            Accepted++;
            if (_target.HasIndependentReading && IndependentReading.Difference(_source, output) is { } difference)
            {
                Report(seed, victim, changed, "converts wrongly", difference);
            }
        }

        Directory.Delete(work, recursive: true);
    }

    private void JudgeError(int seed, string victim, byte[] changed, Exception error, string work)
    {
        if (error is not SwayException known || !_target.MayFail)
        {
            string[] frames = [.. (error.StackTrace ?? "").Split('\n').Where(line => line.Contains("Sway.", StringComparison.Ordinal)).Take(4)];
            Report(seed, victim, changed, $"{error.GetType().Name} at {frames.FirstOrDefault()?.Trim()}", error.Message + Environment.NewLine + string.Join('\n', frames));
            return;
        }

        if (string.IsNullOrWhiteSpace(known.Category) || string.IsNullOrWhiteSpace(known.Message))
        {
            Report(seed, victim, changed, "no category or message", known.ToString());
        }

        if (known.Message.Contains("Verifying failed", StringComparison.Ordinal))
        {
            Report(seed, victim, changed, "writes what it does not verify", known.Message);
        }

        if (Directory.EnumerateFileSystemEntries(work).FirstOrDefault() is { } left)
        {
            Report(seed, victim, changed, "leaves something behind", left);
        }
    }

    private void Report(int seed, string victim, byte[] changed, string kind, string detail)
    {
        if (!_seen.Add(kind))
        {
            return;
        }

        if (Environment.GetEnvironmentVariable("SWAY_FUZZ_FINDINGS") is { Length: > 0 } folder)
        {
            string name = string.Create(CultureInfo.InvariantCulture, $"{_target.Name}-{seed}");
            Directory.CreateDirectory(folder);
            File.WriteAllBytes(Path.Combine(folder, name + "-" + Path.GetFileName(victim)), changed);
            File.WriteAllText(Path.Combine(folder, name + ".txt"), $"{kind}\n{detail}\n", Encoding.UTF8);
        }

        Findings.Add(string.Create(CultureInfo.InvariantCulture, $"{_target.Name}, seed {seed}, {Path.GetFileName(victim)}: {kind}: {detail}"));
    }

    private string Copy(string from, string name)
    {
        string to = Path.Combine(_folder.Path, name);
        Directory.CreateDirectory(to);
        foreach (string file in Directory.GetFiles(from))
        {
            // Answers for other tests are no input.
            string plain = Path.GetFileName(file);
            if (!plain.StartsWith("expected", StringComparison.Ordinal) && plain is not ("golden.json" or "scaled.json" or "windows.json" or "prefixes.json" or "stages.json" or "boundary.json"))
            {
                File.Copy(file, Path.Combine(to, plain));
            }
        }

        return to;
    }
}
