BeforeAll {
    . (Join-Path $PSScriptRoot common.ps1)
    $base = Join-Path $Samples base
    $session = New-SwaySession $base (Join-Path $Samples adapters bible)
    $prompt = "KING RICHARD III:`nNow"
}

AfterAll {
    Get-SwaySession | Remove-SwaySession
}

Describe 'Invoke-AdapterGeneration' {
    It 'takes the tokens that float64 takes' {
        $result = Invoke-AdapterGeneration $prompt -Session $session -MaxTokens 24
        $result.Base.Ids | Should -Be 11, 429, 319, 256, 483, 614, 11, 278, 319, 519, 495, 514, 82, 286, 331, 298, 530, 798, 793, 40, 275, 32, 88, 11
        $result.AdaptedText | Should -BeExactly ' Phoekes, and the clouds of the sea, and the cloud'
        $result.Base.End | Should -Be MaxTokens
    }

    It 'ends where the model ends' {
        $fact = Invoke-AdapterGeneration 'The harbor master of Veld' -Model $base -Adapter (Join-Path $Samples adapters memorized) -View Adapted
        $fact.AdaptedText | Should -BeExactly ' keeps three brass keys.'
        $fact.Adapted.End | Should -Be EndToken
        $fact.Base | Should -BeNullOrEmpty
    }

    It 'streams the same text, token by token' {
        $whole = Invoke-AdapterGeneration $prompt -Session $session -MaxTokens 24
        $pieces = Invoke-AdapterGeneration $prompt -Session $session -MaxTokens 24 -Stream
        -join $pieces.Text | Should -BeExactly $whole.AdaptedText
        $pieces.TokenId | Should -Be $whole.Adapted.Ids
        "$($pieces[0])" | Should -BeExactly $whole.Adapted.Ids[0].ForEach{ $pieces[0].Text }
        -join (Invoke-AdapterGeneration $prompt -Session $session -MaxTokens 24 -Stream -View Base).Text | Should -BeExactly $whole.BaseText
    }

    It 'gives the first token before the last is made' {
        $watch = [Diagnostics.Stopwatch]::StartNew()
        $first = Invoke-AdapterGeneration $prompt -Session $session -MaxTokens 100000 -Stream | Select-Object -First 3
        $first.Count | Should -Be 3
        $watch.Elapsed.TotalSeconds | Should -BeLessThan 20
    }

    It 'lets another measurement with the session be made in between' {
        $nested = Invoke-AdapterGeneration $prompt -Session $session -MaxTokens 5 -Stream |
            ForEach-Object { $null = Get-AdapterNextToken 'And' -Session $session; $_.TokenId }
        $nested | Should -Be (Invoke-AdapterGeneration $prompt -Session $session -MaxTokens 5).Adapted.Ids
    }

    It 'draws the same tokens for the same seed' {
        $one = Invoke-AdapterGeneration $prompt -Session $session -Temperature 1 -TopP 0.9 -Seed 7 -MaxTokens 16
        $again = Invoke-AdapterGeneration $prompt -Session $session -Temperature 1 -TopP 0.9 -Seed 7 -MaxTokens 16
        $other = Invoke-AdapterGeneration $prompt -Session $session -Temperature 1 -TopP 0.9 -Seed 8 -MaxTokens 16
        $again.Adapted.Ids | Should -Be $one.Adapted.Ids
        "$($other.Adapted.Ids)" | Should -Not -Be "$($one.Adapted.Ids)"
    }

    It 'refuses what has no effect' {
        { Invoke-AdapterGeneration $prompt -Session $session -Seed 7 } | Should -Throw -ErrorId 'InvalidUsage,*'
        { Invoke-AdapterGeneration $prompt -Model $base -View Adapted } | Should -Throw -ErrorId 'InvalidUsage,*'
    }

    It 'takes several prompts and several adapters' {
        $rows = 'And', @{ Id = 'x'; Prompt = 'The' } | Invoke-AdapterGeneration -Model $base -Adapter (Join-Path $Samples adapters bible), (Join-Path $Samples adapters law) -MaxTokens 2
        $rows.Id | Should -Be 0, 0, x, x
        Split-Path -Leaf $rows.Adapter | Should -Be bible, law, bible, law
        ($rows | Format-List | Out-String) | Should -Match '(?m)^Adapter +: bible\r?$'
    }

    It 'stops soon when it is stopped' {
        Measure-Stop { param($manifest, $session) Import-Module $manifest; Invoke-AdapterGeneration 'And' -Session $session -MaxTokens 1000000 } $Manifest, $session |
            Should -BeLessThan 10
    }
}
