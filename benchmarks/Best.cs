using System.Diagnostics;

namespace Sway.Benchmarks;

/// <summary>The shortest of several runs: what the machine does when nothing else disturbs it.</summary>
internal static class Best
{
    /// <summary>Seconds of the shortest of some runs.</summary>
    public static double Of(int runs, Action action)
    {
        double best = double.MaxValue;
        for (int i = 0; i < runs; i++)
        {
            long start = Stopwatch.GetTimestamp();
            action();
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }

        return best;
    }

    /// <summary>Seconds of the shortest run within a time.</summary>
    public static double Within(double seconds, Action action)
    {
        double best = double.MaxValue;
        for (long start = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(start).TotalSeconds < seconds;)
        {
            best = Math.Min(best, Of(1, action));
        }

        return best;
    }
}
