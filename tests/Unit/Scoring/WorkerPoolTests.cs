using Sway.Inference.Cpu;

namespace Sway.Unit.Scoring;

/// <summary>Every part runs once, whichever threads are awake, and nothing outlives its operation.</summary>
public sealed class WorkerPoolTests
{
    private const long Costly = long.MaxValue;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(9)]
    public void Each_part_runs_once_in_operations_that_follow_each_other_closely(int threads)
    {
        using var workers = new WorkerPool(threads);
        int[] runs = new int[20];
        for (int operation = 0; operation < 3000; operation++)
        {
            int count = operation % runs.Length;
            workers.For(count, Costly, i => Interlocked.Increment(ref runs[i]));
            for (int i = 0; i < runs.Length; i++)
            {
                // Read without a lock: all must be over when For returns.
                runs[i].ShouldBe(i < count ? 1 : 0);
                runs[i] = 0;
            }
        }
    }

    [Fact]
    public void Threads_that_sleep_come_back()
    {
        using var workers = new WorkerPool(3);
        for (int round = 0; round < 5; round++)
        {
            Thread.Sleep(20);
            // Three parts that wait for each other: only three threads can end them.
            using var all = new CountdownEvent(3);
            workers.For(3, Costly, _ =>
            {
                all.Signal();
                all.Wait(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken).ShouldBeTrue();
            });
        }
    }

    [Fact]
    public void A_slow_part_of_another_thread_is_waited_for()
    {
        using var workers = new WorkerPool(2);
        for (int round = 0; round < 20; round++)
        {
            using var both = new CountdownEvent(2);
            int done = 0;
            int caller = Environment.CurrentManagedThreadId;
            workers.For(2, Costly, _ =>
            {
                both.Signal();
                both.Wait(TestContext.Current.CancellationToken);
                if (Environment.CurrentManagedThreadId != caller)
                {
                    Thread.Sleep(5);
                }

                Interlocked.Increment(ref done);
            });
            done.ShouldBe(2);
        }
    }

    [Fact]
    public void A_failure_is_thrown_and_the_pool_goes_on()
    {
        using var workers = new WorkerPool(2);
        for (int round = 0; round < 50; round++)
        {
            Should.Throw<InvalidOperationException>(() => workers.For(8, Costly, i =>
            {
                if (i == 5)
                {
                    throw new InvalidOperationException("part 5");
                }
            })).Message.ShouldBe("part 5");
            int sum = 0;
            workers.For(8, Costly, i => Interlocked.Add(ref sum, i));
            sum.ShouldBe(28);
        }
    }

    [Fact]
    public void Cancellation_ends_an_operation_before_its_parts_do()
    {
        using var workers = new WorkerPool(2);
        using var source = new CancellationTokenSource();
        workers.Cancellation = source.Token;
        int runs = 0;
        Should.Throw<OperationCanceledException>(() => workers.For(10_000, Costly, i =>
        {
            switch (Interlocked.Increment(ref runs))
            {
                case 10:
                    source.Cancel();
                    break;
                case > 10:
                    // Begun before the other thread's asking was heard: it takes as long as that does.
                    source.Token.WaitHandle.WaitOne();
                    break;
            }
        }));
        runs.ShouldBeInRange(10, 11);
    }

    [Fact]
    public void A_pool_ends_its_threads_asleep_or_awake()
    {
        for (int round = 0; round < 20; round++)
        {
            var workers = new WorkerPool(4);
            workers.For(4, Costly, _ => { });
            Thread.Sleep(round % 3);
            workers.Dispose();
        }
    }
}
