BeforeAll {
    . (Join-Path $PSScriptRoot common.ps1)
    $base = Join-Path $Samples base
    $bible = Join-Path $Samples adapters bible
}

Describe 'New-SwaySession, Get-SwaySession, Remove-SwaySession' {
    AfterEach {
        Get-SwaySession | Remove-SwaySession
    }

    It 'says what it holds' {
        $session = New-SwaySession $base $bible -Name verses -Strength 0.5
        $session.Name | Should -BeExactly verses
        $session.Model | Should -BeExactly $base
        $session.Adapter | Should -BeExactly $bible
        $session.ModelType | Should -BeExactly llama
        $session.Strength | Should -Be 0.5
        $session.VocabularySize | Should -Be 1024
        $session.MaxPositions | Should -Be 256
        $session.Backend | Should -BeExactly cpu
        $session.State | Should -Be Open
    }

    It 'opens one for each adapter of the pipeline, and goes on after a bad one' {
        $opened = Get-ChildItem (Join-Path $Samples adapters) -Directory |
            New-SwaySession $base -ErrorAction SilentlyContinue -ErrorVariable problem
        Split-Path -Leaf $opened.Adapter | Should -Be alice, bible, law, memorized, untrained
        $problem.Count | Should -Be 1
        $problem.FullyQualifiedErrorId | Should -BeLike 'InvalidAdapter,*'
        (Get-LoraAdapterInfo $bible | New-SwaySession $base).Adapter | Should -BeExactly $bible
    }

    It 'is found by name, by number and by pattern' {
        $one = New-SwaySession $base -Name first
        $two = New-SwaySession $base -Name second
        (Get-SwaySession).Name | Should -Be first, second
        Get-SwaySession FIRST | Should -Be $one
        Get-SwaySession -Id $two.Id | Should -Be $two
        Get-SwaySession s* | Should -Be $two
        Get-SwaySession none* | Should -BeNullOrEmpty
        { Get-SwaySession none -ErrorAction Stop } | Should -Throw -ErrorId 'SessionNotFound,*'
        { Get-SwaySession -Id 999 -ErrorAction Stop } | Should -Throw -ErrorId 'SessionNotFound,*'
    }

    It 'refuses a name that is taken' {
        New-SwaySession $base -Name taken
        { New-SwaySession $base -Name TAKEN -ErrorAction Stop } | Should -Throw -ErrorId 'SessionExists,*'
    }

    It 'lets a session be given by its name or number' {
        $session = New-SwaySession $base -Name named
        (Measure-AdapterLogprob 'a' ' b' -Session named).TokenCount | Should -Be 1
        (Measure-AdapterLogprob 'a' ' b' -Session $session.Id).TokenCount | Should -Be 1
        { Measure-AdapterLogprob 'a' ' b' -Session other } | Should -Throw -ErrorId 'ParameterArgumentTransformationError,*' -ExpectedMessage "*no session 'other'*"
        { Measure-AdapterLogprob 'a' ' b' -Session (Get-Date) } | Should -Throw -ErrorId 'ParameterArgumentTransformationError,*'
    }

    It 'completes names' {
        New-SwaySession $base -Name alpha
        New-SwaySession $base -Name 'al pha'
        $line = 'Measure-AdapterLogprob a b -Session al'
        $found = [System.Management.Automation.CommandCompletion]::CompleteInput($line, $line.Length, $null).CompletionMatches.CompletionText
        $found | Should -Be alpha, "'al pha'"
    }

    It 'says that a removed session is closed' {
        $session = New-SwaySession $base -Name gone
        Remove-SwaySession gone
        $session.State | Should -Be Closed
        Get-SwaySession | Should -BeNullOrEmpty
        { Measure-AdapterLogprob 'a' ' b' -Session $session } | Should -Throw -ErrorId 'SessionClosed,*' -ExpectedMessage "*'gone' is closed*"
        { Remove-SwaySession $session } | Should -Not -Throw
    }

    It 'keeps it under -WhatIf' {
        $session = New-SwaySession $base
        Remove-SwaySession $session -WhatIf *> $null
        $session.State | Should -Be Open
    }

    It 'finishes a measurement that has begun, though the session is removed meanwhile' {
        $session = New-SwaySession $base $bible -NoCache
        $expected = (Get-SamplePrompt | Measure-AdapterLogprob -Session $session).AdaptedLogProb
        $removed = $false
        $prompts = Get-SamplePrompt
        $found = $prompts | ForEach-Object { if (-not $removed) { Remove-SwaySession $session; $removed = $true }; $_ } |
            Measure-AdapterLogprob -Session $session
        $found.AdaptedLogProb | Should -Be $expected
        { Measure-AdapterLogprob 'a' ' b' -Session $session } | Should -Throw -ErrorId 'SessionClosed,*'
    }

    It 'closes what a runspace opened when it ends, and what the module opened when it is removed' {
        $inner = [powershell]::Create()
        $left = $inner.AddScript({ param($manifest, $base) Import-Module $manifest; New-SwaySession $base }).AddArgument($Manifest).AddArgument($base).Invoke()[0]
        $left.State | Should -Be Open
        $inner.Runspace.Close()
        $inner.Dispose()
        $left.State | Should -Be Closed

        $inner = [powershell]::Create()
        $left = $inner.AddScript({ param($manifest, $base) Import-Module $manifest; New-SwaySession $base; Remove-Module Sway }).AddArgument($Manifest).AddArgument($base).Invoke()[0]
        $left.State | Should -Be Closed
        $inner.Dispose()
    }

    It 'refuses a model that cannot be computed, and says why' {
        $odd = Join-Path $TestDrive odd
        Copy-Item -Recurse $base $odd
        (Get-Content -Raw (Join-Path $odd config.json)) -replace '"silu"', '"sine"' | Set-Content (Join-Path $odd config.json)
        { New-SwaySession $odd -ErrorAction Stop } | Should -Throw -ErrorId 'UnsupportedModel,*' -ExpectedMessage '*sine*'
        { New-SwaySession (Join-Path $TestDrive none) -ErrorAction Stop } | Should -Throw -ErrorId 'FolderNotFound,*'
    }

    It 'refuses an engine that is not there' {
        if (-not (Get-SwayBackend | Where-Object Name -EQ Mlx).IsAvailable) {
            { New-SwaySession $base -Backend Mlx -ErrorAction Stop } | Should -Throw -ErrorId 'NativeLibraryUnavailable,*'
        }
    }

    It 'shows a table' {
        New-SwaySession $base $bible -Name shown | Out-String -Width 160 | Should -Match 'shown +base +llama +bible +1 +cpu +256 +Open'
    }
}
